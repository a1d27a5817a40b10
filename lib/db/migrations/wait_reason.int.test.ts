import { describe, expect, test } from "bun:test";
import { uuidv7 } from "../../core/ids.ts";
import { beforeMigration } from "../../testing/before_migration.ts";

const database = beforeMigration("0022_wait_reason");

const insert = async (next_attempt_at: string, error_code: string | null, attempts = 0): Promise<string> => {
  const id = uuidv7();
  await database.sql`
    insert into messages (id, business_id, direction, chat, type, text, wa_message_id, status, attempts, error_code,
                          next_attempt_at)
    values (${id}, ${database.business}, 'outbound', 'c', 'text', 'hello', ${id}, 'queued', ${attempts}, ${error_code},
            ${next_attempt_at})`;
  return id;
};
const stateOf = async (id: string) =>
  (await database.sql`select wait_reason, error_code, next_attempt_at from messages where id = ${id}`)[0];

describe("migration 0022_wait_reason", () => {
  test("converts rows that wait", async () => {
    const [soon, past, never] = ["2099-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "9999-01-01T00:00:00Z"];
    const [paced, upload, retry, held, heldWhilePaced, due] = [
      await insert(soon, "paced"),
      await insert(soon, "media_pending"),
      await insert(soon, "timeout", 1),
      await insert(never, null),
      await insert(never, "paced"),
      await insert(past, null),
    ];
    await database.apply();
    const at = (text: string) => new Date(text);
    expect(await stateOf(paced)).toEqual({ wait_reason: "pacing", error_code: null, next_attempt_at: at(soon) });
    expect(await stateOf(upload)).toEqual({ wait_reason: "upload", error_code: null, next_attempt_at: at(soon) });
    expect(await stateOf(retry)).toEqual({ wait_reason: "retry", error_code: "timeout", next_attempt_at: at(soon) });
    const hold = { wait_reason: "broadcast", error_code: null, next_attempt_at: null };
    expect([await stateOf(held), await stateOf(heldWhilePaced)]).toEqual([hold, hold]);
    expect(await stateOf(due)).toEqual({ wait_reason: null, error_code: null, next_attempt_at: at(past) });
  });

  test("demands a next attempt or a hold of a queued message", async () => {
    const id = await insert("2026-01-01T00:00:00Z", null);
    await expect(database.sql`update messages set next_attempt_at = null where id = ${id}`.execute()).rejects.toThrow(
      "messages_queued_has_next_attempt",
    );
    await database.sql`update messages set next_attempt_at = null, wait_reason = 'broadcast' where id = ${id}`;
    expect(await stateOf(id)).toMatchObject({ wait_reason: "broadcast" });
  });
});
