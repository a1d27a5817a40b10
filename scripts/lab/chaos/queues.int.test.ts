import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runChaos } from "./queues/run.ts";

// A short chaos:queues.

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-chaos-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("chaos:queues", () => {
  test("accounts for every message, delivery and recipient", async () => {
    const result = await runChaos({
      folder,
      businesses: 5,
      messages: 400,
      rate: 40,
      pending: 100,
      campaign: { recipients: 100, kills: 3, perMinute: 60_000 },
      say: () => {},
    });
    expect(result).toMatchObject({
      messages: 500,
      lost: 0,
      duplicates: 0,
      disordered_chats: 0,
      deliveries: 500,
      deliveries_unaccounted: 0,
      pending_after_flush_unsent: 0,
      broadcast_recipients: 100,
      broadcast_lost: 0,
      broadcast_duplicates: 0,
    });
  }, 300_000);
});
