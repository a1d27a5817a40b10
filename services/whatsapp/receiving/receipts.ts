import { getBinaryNodeChild, getBinaryNodeChildren, isJidGroup, jidNormalizedUser } from "@whiskeysockets/baileys";
import type { BinaryNode } from "@whiskeysockets/baileys";
import type { ReceiptData } from "../../../lib/contracts/shard/schemas.ts";
import { maxId } from "./inbound.ts";

const statusOf: Record<string, ReceiptData["status"] | undefined> = {
  "": "delivered",
  // As it is called in receipts of several members.
  delivery: "delivered",
  // Delivered to a phone that does not show itself as online.
  inactive: "delivered",
  read: "read",
  played: "played",
};

/** Messages that one account received or read at one time. */
type Tick = { ids: (string | undefined)[]; type: string; t: string | undefined; member: string | undefined };

/**
 * The ticks of a receipt stanza. They are read from the stanza and not from Baileys' events, which merge a receipt into
 * an upsert of the own message or into a later receipt and lose a tick. The database ranks them and keeps the highest.
 *
 * Receipts of the business's own devices ("sender", "read-self") say nothing about the recipient. In a group each
 * member sends one, which names the member; WhatsApp may combine those of a message, or those of a kind, in one stanza.
 */
export function receiptsOf(stanza: BinaryNode, isOwn: (jid: string) => boolean, now = Date.now()): ReceiptData[] {
  const { id, from, recipient } = stanza.attrs;
  if (!id || !from || recipient !== undefined) return [];
  const error = getBinaryNodeChild(stanza, "error");
  return ticksIn(stanza).flatMap(({ ids, type, t, member }) => {
    const status = statusOf[type];
    if (status === undefined || isOwn(member ?? from) || (member === undefined) === isJidGroup(from)) return [];
    // The phone is too old for LIDs, and got nothing.
    if (status === "delivered" && error?.attrs["type"] === "feature-incapable") return [];
    return ids
      .filter((each) => each !== undefined && each.length <= maxId)
      .map((each) => ({
        wa_message_id: each!,
        chat: jidNormalizedUser(from),
        status,
        at: timeOf(t, now),
        ...(member === undefined ? {} : { member: jidNormalizedUser(member) }),
      }));
  });
}

function ticksIn(stanza: BinaryNode): Tick[] {
  const { id, type = "", t, participant } = stanza.attrs;
  const combined = getBinaryNodeChildren(stanza, "participants");
  if (combined.length === 0) {
    const items = getBinaryNodeChildren(getBinaryNodeChild(stanza, "list"), "item");
    return [{ ids: [id, ...items.map((item) => item.attrs["id"])], type, t, member: participant }];
  }
  return combined.flatMap((part) =>
    getBinaryNodeChildren(part, "user").map(({ attrs: user }) => ({
      ids: [part.attrs["message_id"] ?? part.attrs["key"]],
      type: user["type"] ?? type,
      t: user["t"] ?? t,
      member: user["jid"],
    })),
  );
}

/** WhatsApp gives whole seconds. For a recent tick our clock is used: it is finer and does not precede the send. */
function timeOf(seconds: string | undefined, now: number): number {
  const at = Number(seconds) * 1000;
  const isPast = at >= 0 && at <= now - 2000;
  return isPast ? at : now;
}

/** Messages that one retry receipt may request again. Phones request them one by one. */
const maxRetried = 32;

/**
 * Removes repeated messages, and those beyond the limit, from a retry receipt. Baileys reads each message of it from
 * the ledger before it sends the first one: one stanza could name a long message ten thousand times.
 */
export function limitRetry({ attrs, content }: BinaryNode): void {
  if (attrs["type"] !== "retry" || !Array.isArray(content)) return;
  const named = new Set([attrs["id"]]);
  for (const child of content) {
    if (!Array.isArray(child.content)) continue;
    child.content = child.content.filter(({ tag, attrs: { id } }) => {
      if (tag !== "item") return true;
      if (named.has(id) || named.size >= maxRetried) return false;
      named.add(id);
      return true;
    });
  }
}
