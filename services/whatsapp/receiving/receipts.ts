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
 * The ticks of a receipt stanza. They are read from the stanza and not from Baileys' events, which merge a receipt into
 * an upsert of the own message or into a later receipt and lose a tick. The database ranks them and keeps the highest.
 *
 * Receipts of the business's own devices ("sender", "read-self") say nothing about the recipient. In a group each
 * member sends one, which names the member.
 */
export function receiptsOf(stanza: BinaryNode, isOwn: (jid: string) => boolean, now = Date.now()): ReceiptData[] {
  const { id, from, type = "", t, participant, recipient } = stanza.attrs;
  const status = statusOf[type];
  if (!id || !from || status === undefined || recipient !== undefined) return [];
  const member = isJidGroup(from) ? participant : undefined;
  if (isOwn(member ?? from) || (member === undefined) === (isJidGroup(from) || participant !== undefined)) return [];
  const list = Array.isArray(stanza.content) ? stanza.content[0] : undefined;
  const more = list ? getBinaryNodeChildren(list, "item").map((item) => item.attrs["id"]) : [];
  const at = timeOf(t, now);
  return [id, ...more]
    .flatMap((each) => (each !== undefined && each.length <= maxId ? [each] : []))
    .map((each) => ({
      wa_message_id: each,
      chat: jidNormalizedUser(from),
      status,
      at,
      ...(member === undefined ? {} : { member: jidNormalizedUser(member) }),
    }));
}

/** WhatsApp gives whole seconds. For a recent tick our clock is used: it is finer and does not precede the send. */
function timeOf(seconds: string | undefined, now: number): number {
  const at = Number(seconds) * 1000;
  const isPast = at >= 0 && at <= now - 2000;
  return isPast ? at : now;
}
