import { createHmac } from "node:crypto";
import { lidJid } from "../wire/jid.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { bytes, child } from "../wire/stanza.ts";
import type { Phone } from "./phone.ts";

/** The field of a HistorySync message that has the salt; Baileys' definitions lack it. */
const saltField = 19;
/** Of a field with bytes. */
const wireType = 2;

/** The account's salt as it lies in an encoded history; empty for an account without one. */
export function encodedSalt({ contactSalt }: Phone): Buffer {
  if (contactSalt === undefined) return Buffer.alloc(0);
  const tag = saltField * 8 + wireType;
  return Buffer.concat([Buffer.from([(tag & 0x7f) | 0x80, tag >> 7, contactSalt.length]), contactSalt]);
}

/** True if a message to a contact that gave no token carries the one that the sender's salt yields for the contact. */
export function hasSaltedToken(message: BinaryNode, from: Phone, to: Phone): boolean {
  if (from.contactSalt === undefined || child(message, "cstoken") === undefined) return false;
  const expected = createHmac("sha256", from.contactSalt).update(lidJid(to.lid)).digest();
  return bytes(message, "cstoken")?.equals(expected) === true;
}
