import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chaos } from "./shard/chaos.ts";
import { ordeals } from "./shard/ordeals.ts";

/* The short form of task chaos:shard: everything once, of the simulator's faults the one that lasts, and servers away for a second. */
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
  "Redis away",
  "Postgres away",
  "Consul away, and the shard killed meanwhile",
  "the worker killed",
  "disk full",
  "silence",
]);

test("while everything fails once, no message is lost, doubled or out of order at either end, and nobody needs a new QR", async () => {
  const result = await chaos({
    ordeals: ordeals.filter(({ name }) => once.has(name)),
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
  expect(result.sent.sent).toBeGreaterThanOrEqual(400);
  // Those in mid-batch, in a set, twice in a pairing, and without Consul.
  expect(result.deaths).toBeGreaterThanOrEqual(5);
}, 300_000);
