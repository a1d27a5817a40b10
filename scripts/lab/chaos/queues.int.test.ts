import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runChaos } from "./queues/run.ts";

/*
 * A short chaos:queues with few restarts of workers, which are most of its work. Workers that take over at once are
 * tested in services/workers/recovery.int.test.ts.
 */

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-chaos-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("chaos:queues", () => {
  test("accounts for every message, delivery and recipient", async () => {
    const result = await runChaos({
      folder,
      groups: ["high", "high", "default", "low"],
      businesses: 4,
      messages: 320,
      rate: 40,
      pending: 40,
      campaign: { recipients: 60, kills: 1, perMinute: 60_000 },
      say: () => {},
    });
    expect(result).toMatchObject({
      messages: 360,
      lost: 0,
      duplicates: 0,
      disordered_chats: 0,
      deliveries: 360,
      deliveries_unaccounted: 0,
      pending_after_flush_unsent: 0,
      broadcast_recipients: 60,
      broadcast_lost: 0,
      broadcast_duplicates: 0,
    });
  }, 300_000);
});
