import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chaos } from "./shard/chaos.ts";
import { steps } from "./shard/steps.ts";

/* A short chaos:shard: each step once, one fault of the simulator, and outages of a second. */
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
      perSecond: 20,
      messages: 400,
      seconds: 0.5,
      outageS: 1,
      folder,
      say: () => {},
    });
    const allArrived = { lost: 0, duplicates: 0, foreign: 0, disordered: 0 };
    expect(result).toMatchObject({ sent: allArrived, received: allArrived, refused: 0, givenUp: 0, relinked: 0 });
    expect(result).toMatchObject({ adsLost: 0, statusesStored: 0 });
    expect(result.adsReceived).toBeGreaterThanOrEqual(20);
    expect(result.sent.sent).toBeGreaterThanOrEqual(400);
    // In a batch, in a write, twice in a pairing, and without Consul.
    expect(result.deaths).toBeGreaterThanOrEqual(5);
  }, 300_000);
});
