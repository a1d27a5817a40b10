import { afterAll, beforeAll, expect } from "bun:test";
import { uuidv7, whatsappMessageId } from "../../core/ids.ts";
import { createMigratedDatabase } from "../../testing/database.ts";
import type { MigratedDatabase } from "../../testing/database.ts";
import { beginBroadcast, insertBroadcast, pendingMessages, submitMessage } from "../index.ts";
import type { BusinessScope, Idempotency } from "../index.ts";

/** A database for the tests of a file. */
export function useDatabase(): { database: MigratedDatabase } {
  const stage: { database: MigratedDatabase } = { database: undefined! };
  beforeAll(async () => {
    stage.database = await createMigratedDatabase({ poolSize: 20 });
  });
  afterAll(() => stage.database.close());
  return stage;
}

export const newMessage = (chat = "1@s.whatsapp.net", text = "hello") => {
  const id = uuidv7();
  return { id, chat, type: "text" as const, text, wa_message_id: whatsappMessageId(id) };
};
export const send = async (scope: BusinessScope, chat?: string) => {
  const message = newMessage(chat);
  expect(await submitMessage(scope, message)).toEqual({ outcome: "accepted" });
  return message.id;
};
/** Creates a running broadcast that owns a queued message. */
export const runningWith = async (
  { database }: { database: MigratedDatabase },
  scope: BusinessScope,
  messageId: string,
) => {
  const id = uuidv7();
  const quiet = { quiet_from: null, quiet_to: null };
  await insertBroadcast(scope, {
    id,
    name: "Sale",
    text: "hello",
    time_zone: null,
    scheduled_at: null,
    ...quiet,
    per_minute: 60,
  });
  await database.owner`update broadcasts set status = 'scheduled' where id = ${id}`;
  await beginBroadcast(scope, id);
  await database.owner`update messages set broadcast_id = ${id} where id = ${messageId}`;
  return id;
};
export const idempotent = (key: string, fingerprint: string, id: string): Idempotency => ({
  key,
  fingerprint,
  status: 202,
  response: { id },
});
export const pendingIds = async (scope: BusinessScope, limit = 50) =>
  (await pendingMessages(scope, { limit })).messages.map((row) => row.id);
export const inMs = (ms: number) => new Date(Date.now() + ms);
