import { isLidUser, jidNormalizedUser } from "@whiskeysockets/baileys";
import type { BinaryNode } from "@whiskeysockets/baileys";

/**
 * Makes the stanza of an own message name its chat alone: the recipient. WhatsApp also names the sender there
 * (`sender_pn`), which Baileys would take for the recipient's number, and map the recipient's LID to the business.
 */
export function nameRecipientOnly({ attrs }: BinaryNode, own: readonly string[]): void {
  const { from, recipient } = attrs;
  if (!from || !recipient || !own.includes(jidNormalizedUser(from))) return;
  const byLid = isLidUser(recipient) === true;
  const other = byLid
    ? (attrs["peer_recipient_pn"] ?? attrs["recipient_pn"])
    : (attrs["peer_recipient_lid"] ?? attrs["recipient_lid"]);
  for (const name of ["sender_pn", "sender_lid", "recipient_pn", "recipient_lid"]) delete attrs[name];
  for (const name of ["peer_recipient_pn", "peer_recipient_lid"]) delete attrs[name];
  attrs["addressing_mode"] = byLid ? "lid" : "pn";
  if (other !== undefined) attrs[byLid ? "peer_recipient_pn" : "peer_recipient_lid"] = other;
}
