import type { Simulation } from "../simulation.ts";
import type { Connection } from "../wire/connection.ts";
import { userAddress } from "../wire/jid.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { firstChild } from "../wire/stanza.ts";

/** A companion shows its phone as available, or no longer. */
export function onPresence(_simulation: Simulation, { login }: Connection, { attrs }: BinaryNode): void {
  if (!login || attrs["to"] !== undefined) return;
  login.phone.available = attrs["type"] === "available";
}

/** A companion types or records in a chat: the phone at the other end sees it. */
export function onChatState({ phones }: Simulation, { login }: Connection, stanza: BinaryNode): void {
  const address = userAddress(stanza.attrs["to"]);
  const seer = address && phones.at(address);
  const state = firstChild(stanza);
  if (!login || !seer || (state?.tag !== "composing" && state?.tag !== "paused")) return;
  seer.seenIn.set(login.phone.phone, state.attrs["media"] === "audio" ? "recording" : state.tag);
}
