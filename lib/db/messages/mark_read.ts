import { and, desc, eq, inArray, lte } from "drizzle-orm";
import { execute, fetchRows, now, query } from "../query.ts";
import type { BusinessScope } from "../scope.ts";
import { messages } from "./schema.ts";
import type { Message } from "./schema.ts";

export type UnreadMessage = Pick<Message, "id" | "wa_message_id" | "sender">;

/** How many messages of a chat are searched for unread ones. */
const horizon = 1_000;

/** The unread received messages of a chat up to the given one: the newest `limit`, oldest first. */
export async function unreadUpTo(
  scope: BusinessScope,
  { id, chat }: Pick<Message, "id" | "chat">,
  limit: number,
): Promise<UnreadMessage[]> {
  const recent = query
    .select()
    .from(messages)
    .where(and(eq(messages.business_id, scope.businessId), eq(messages.chat, chat), lte(messages.id, id)))
    .orderBy(desc(messages.id))
    .limit(horizon)
    .as("recent");
  const newest = await fetchRows(
    scope,
    query
      .select({ id: recent.id, wa_message_id: recent.wa_message_id, sender: recent.sender })
      .from(recent)
      .where(and(eq(recent.direction, "inbound"), eq(recent.status, "delivered")))
      .orderBy(desc(recent.id))
      .limit(limit),
  );
  return newest.toReversed();
}

/** Records that received messages are marked as read. */
export async function noteRead(scope: BusinessScope, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  const { id, business_id, direction, status } = messages;
  // In order of id, as every bulk statement on this table locks, so that two of them never deadlock.
  const locked = query
    .select({ id })
    .from(messages)
    .where(and(eq(business_id, scope.businessId), eq(direction, "inbound"), eq(status, "delivered"), inArray(id, ids)))
    .orderBy(id)
    .for("update");
  await execute(scope, query.update(messages).set({ status: "read", read_at: now }).where(inArray(id, locked)));
}
