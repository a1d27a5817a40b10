import { getBinaryNodeChildren, isJidGroup, jidNormalizedUser } from "@whiskeysockets/baileys";
import type { BinaryNode } from "@whiskeysockets/baileys";
import type { ReceiptData } from "../../../lib/contracts/shard/schemas.ts";
import { maxId } from "./inbound.ts";

const statusOf: Record<string, ReceiptData["status"] | undefined> = {
  "": "delivered",
  // Delivered to a phone that does not show itself as online.
  inactive: "delivered",
  read: "read",
  played: "played",
};

/**
 * The ticks that a receipt stanza brings. They are taken from the stanza, not from Baileys' events: those merge a
 * receipt into an upsert of the own message or into a later receipt, and a tick is swallowed. Reading the stanza
 * yields each of them; which one counts is decided by their rank, in the database.
 *
 * Receipts of the business's own devices ("sender", "read-self") say nothing about the recipient. In a group each
 * member sends one; a member's tick is not the message's, so they are left out until groups are counted.
 */
export function receiptsOf(stanza: BinaryNode, isOwn: (jid: string) => boolean, now = Date.now()): ReceiptData[] {
  const { id, from, type = "", t, participant, recipient } = stanza.attrs;
  const status = statusOf[type];
  if (!id || !from || status === undefined || recipient !== undefined) return [];
  if (isJidGroup(from) || participant !== undefined || isOwn(from)) return [];
  const list = Array.isArray(stanza.content) ? stanza.content[0] : undefined;
  const more = list ? getBinaryNodeChildren(list, "item").map((item) => item.attrs["id"]) : [];
  const at = timeOf(t, now);
  return [id, ...more]
    .flatMap((each) => (each !== undefined && each.length <= maxId ? [each] : []))
    .map((each) => ({ wa_message_id: each, chat: jidNormalizedUser(from), status, at }));
}

/** WhatsApp gives whole seconds; for a tick that has just come, our clock is finer and does not seem to run before the send. */
function timeOf(seconds: string | undefined, now: number): number {
  const at = Number(seconds) * 1000;
  const isPast = at >= 0 && at <= now - 2000;
  return isPast ? at : now;
}
