import type { Simulation } from "../simulation.ts";
import type { Connection } from "../wire/connection.ts";
import { userAddress } from "../wire/jid.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { firstChild } from "../wire/stanza.ts";

/** Updates whether a companion shows its phone as available. */
export function onPresence(_simulation: Simulation, { login }: Connection, { attrs }: BinaryNode): void {
  if (!login || attrs["to"] !== undefined) return;
  login.phone.available = attrs["type"] === "available";
}

/** Shows the other phone of a chat that a companion is typing or recording. */
export function onChatState({ phones }: Simulation, { login }: Connection, stanza: BinaryNode): void {
  const address = userAddress(stanza.attrs["to"]);
  const observer = address && phones.at(address);
  const state = firstChild(stanza);
  if (!login || !observer || (state?.tag !== "composing" && state?.tag !== "paused")) return;
  observer.seenIn.set(login.phone.phone, state.attrs["media"] === "audio" ? "recording" : state.tag);
}
