import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kinds, planOf } from "./hostile/kinds.ts";
import { runHostile } from "./hostile/run.ts";

// task fuzz:hostile in small: every kind at least once, several at the same time.

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-hostile-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("fuzz:hostile", () => {
  test("breaks no bound of the platform", async () => {
    const lines: string[] = [];
    const plan = planOf(kinds, 200);
    const result = await runHostile({
      folder,
      plan,
      seed: 7,
      quietS: 3,
      together: 6,
      patience: 0.3,
      say: (line) => lines.push(line),
    });
    // A p99 of a few messages on a machine that runs other tests says nothing: the full run judges it.
    const broken = result.broken.filter(({ bound }) => bound !== "other_tenant_p99_ms");
    expect(broken).toEqual([]);
    expect(result).toMatchObject({
      kinds: kinds.length,
      process_deaths: 0,
      other_tenant_failed: 0,
      redis_full_recovered: true,
    });
  }, 300_000);
});
