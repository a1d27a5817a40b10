import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chaos } from "./shard/chaos.ts";
import { steps } from "./shard/steps.ts";
import { verdictOf } from "./shard/verdict.ts";

/* A short chaos:shard: each step and scenario once, one fault of the simulator, and outages of a second. */
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "chaos-"));
  await chmod(folder, 0o755);
});
afterEach(() => rm(folder, { recursive: true }));

const once = new Set([
  "kill -9 in mid-batch (1)",
  "kill -9 in the middle of a set (1)",
  "kill -9 in a pairing",
  "disconnect storm",
  "Redis down",
  "Postgres down",
  "Consul down, and the shard killed",
  "the worker killed",
  "disk full",
  "silence",
]);

describe("chaos:shard", () => {
  test("keeps every message, order and login", async () => {
    const result = await chaos({
      steps: steps.filter(({ name }) => once.has(name)),
      businesses: 4,
      contacts: 3,
      perSecond: 10,
      scenarioEvery: 10,
      messages: 400,
      seconds: 0.5,
      outageS: 1,
      folder,
      say: () => {},
    });
    expect(result.faults).toEqual([]);
    expect(Object.entries(result.happened).filter(([, times]) => times === 0)).toEqual([]);
    expect(verdictOf(result)).toEqual({
      lost: 0,
      duplicates: 0,
      foreign: 0,
      disordered_chats: 0,
      new_qr: 0,
      ads_lost: 0,
      split_chats: 0,
      statuses_stored: 0,
      passing_failures: 0,
      needless_logins: 0,
      scenario_faults: 0,
      scenarios_missing: 0,
    });
    expect(result.adsReceived).toBeGreaterThan(0);
    expect(result.refused).toBe(0);
    expect(result.sent.sent).toBeGreaterThanOrEqual(400);
    // In a batch, in a write, twice in a pairing, and without Consul.
    expect(result.deaths).toBeGreaterThanOrEqual(5);
  }, 720_000);
});
