import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { uuidv7 } from "../../core/ids.ts";
import { createBusiness } from "../../testing/business.ts";
import { createMigratedDatabase } from "../../testing/database.ts";
import type { MigratedDatabase } from "../../testing/database.ts";
import { forPlatform, insertBusiness, insertConsoleSession, insertKey, once, removeExpired } from "../index.ts";

let database: MigratedDatabase;
beforeAll(async () => {
  database = await createMigratedDatabase({ poolSize: 10 });
});
afterAll(() => database.close());

const counted = async () =>
  (await database.owner<[{ count: number }]>`select count(*)::integer as count from businesses`)[0].count;

describe("once", () => {
  test("rolls back failed work and frees the key", async () => {
    const platform = forPlatform(database.db);
    const before = await counted();
    const asked = { key: "fails", fingerprint: "f" };
    const failing = once(platform, asked, async (scope) => {
      await insertBusiness(scope, { id: uuidv7(), name: "x", time_zone: "UTC" });
      throw new Error("second thoughts");
    });
    await expect(failing).rejects.toThrow("second thoughts");
    expect(await counted()).toBe(before);
    expect(await once(platform, asked, async () => ({ status: 201, response: { n: 1 } }))).toMatchObject({
      outcome: "fresh",
    });
    expect(await once(platform, asked, async () => ({ status: 201, response: { n: 2 } }))).toEqual({
      outcome: "replayed",
      status: 201,
      response: { n: 1 },
    });
  });

  test("separates keys by business and platform", async () => {
    const asked = { key: "shared", fingerprint: "f" };
    const answers = [];
    for (const scope of [
      forPlatform(database.db),
      await createBusiness(database.db),
      await createBusiness(database.db),
    ]) {
      answers.push((await once(scope, asked, async () => ({ status: 201, response: {} }))).outcome);
    }
    expect(answers).toEqual(["fresh", "fresh", "fresh"]);
  });

  test("leaves only unexpired answers after a cleanup", async () => {
    const platform = forPlatform(database.db);
    const scope = await createBusiness(database.db);
    const key = await insertKey(scope, {
      id: uuidv7(),
      prefix: "expiring",
      hash: "0".repeat(64),
      scopes: ["messages:read"],
    });
    for (const name of ["old", "new"])
      await once(scope, { key: name, fingerprint: "f" }, async () => ({ status: 201, response: {} }));
    for (const [n, lifetimeS] of [-1, 60].entries()) {
      await insertConsoleSession(platform, { hash: String(n).repeat(64), key_id: key!.id, lifetimeS });
    }
    await database.owner`update idempotency_keys set expires_at = now() - interval '1 second' where key = 'old'`;
    expect(await removeExpired(platform)).toEqual({ idempotency_keys: 1, console_sessions: 1, more: false });
    expect(await removeExpired(platform)).toEqual({ idempotency_keys: 0, console_sessions: 0, more: false });
  });
});
