import { randomBytes } from "node:crypto";
import type { Simulation } from "../simulation.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { bytes, child, node, nowS, stanzaId } from "../wire/stanza.ts";
import { lidJid, phoneJid } from "../wire/jid.ts";
import type { Phone } from "./phone.ts";

/** A token that a phone gave to a contact, which may write to it with the token. */
export type PrivacyToken = { token: string; t: number };

/** Gives a contact a new token, without notice. */
export function givePrivacyToken(from: Phone, to: Phone): PrivacyToken {
  const given = { token: randomBytes(16).toString("base64"), t: Number(nowS()) };
  from.change({ tokens: { ...from.tokens, [to.phone]: given } });
  return given;
}

/** Notifies the contact's companions of its token. */
export async function announcePrivacyToken({ store }: Simulation, from: Phone, to: Phone): Promise<void> {
  const given = from.tokens[to.phone];
  if (given === undefined) return;
  for (const device of to.devices.values()) {
    const token = node(
      "token",
      { jid: phoneJid(to.phone, device.id), t: String(given.t), type: "trusted_contact" },
      Buffer.from(given.token, "base64"),
    );
    const attributes = { from: phoneJid(from.phone), sender_lid: lidJid(from.lid), type: "privacy_token" };
    device.mailbox.put(node("notification", { ...attributes, id: stanzaId() }, [node("tokens", {}, [token])]));
  }
  await store.committed();
}

/** True if a message carries the token that its receiver gave to its sender. */
export function hasPrivacyToken(message: BinaryNode, from: Phone, to: Phone): boolean {
  const given = to.tokens[from.phone];
  return given !== undefined && child(message, "tctoken") !== undefined
    ? bytes(message, "tctoken")?.toString("base64") === given.token
    : false;
}
