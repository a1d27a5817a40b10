import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { uuidv7 } from "../../core/ids.ts";
import { createTestDatabase } from "../../testing/servers.ts";
import { connectAsOwner } from "../client/owner.ts";
import type { OwnerConnection } from "../client/owner.ts";
import journal from "./meta/_journal.json" with { type: "json" };

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let sql: OwnerConnection;
const business = uuidv7();
const apply = async (tag: string) => sql.unsafe(await Bun.file(`${import.meta.dir}/${tag}.sql`).text()).simple();

beforeAll(async () => {
  database = await createTestDatabase();
  sql = connectAsOwner({ url: database.url, applicationName: "test" });
  for (const { idx, tag } of journal.entries) if (idx < 22) await apply(tag);
  await sql`insert into businesses (id, name, time_zone) values (${business}, 'x', 'UTC')`;
});
afterAll(async () => {
  await sql.end();
  await database.drop();
});

const insert = async (next_attempt_at: string, error_code: string | null, attempts = 0): Promise<string> => {
  const id = uuidv7();
  await sql`
    insert into messages (id, business_id, direction, chat, type, text, wa_message_id, status, attempts, error_code,
                          next_attempt_at)
    values (${id}, ${business}, 'outbound', 'c', 'text', 'hello', ${id}, 'queued', ${attempts}, ${error_code},
            ${next_attempt_at})`;
  return id;
};
const stateOf = async (id: string) =>
  (await sql`select wait_reason, error_code, next_attempt_at from messages where id = ${id}`)[0];

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
    await apply("0022_wait_reason");
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
    await expect(sql`update messages set next_attempt_at = null where id = ${id}`.execute()).rejects.toThrow(
      "messages_queued_has_next_attempt",
    );
    await sql`update messages set next_attempt_at = null, wait_reason = 'broadcast' where id = ${id}`;
    expect(await stateOf(id)).toMatchObject({ wait_reason: "broadcast" });
  });
});
