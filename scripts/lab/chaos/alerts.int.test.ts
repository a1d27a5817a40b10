import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readAlerts } from "../../testing/monitoring/alerts.ts";
import { faults } from "./alerts/faults.ts";
import { provokeAlerts } from "./alerts/run.ts";
import { setStage } from "./alerts/stage.ts";
import type { Stage } from "./alerts/stage.ts";
import { judge } from "./alerts/verdict.ts";

/* A short chaos:alerts: three faults, at a pace of seconds. */

let folder: string;
let stage: Stage;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-alerts-"));
  stage = await setStage({ folder, pace: "fast", parts: new Set() });
});

afterAll(async () => {
  await stage?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe("chaos:alerts", () => {
  test("fires and clears the alerts of faults", async () => {
    const chosen = ["DeadLetters", "EventStreamMemory", "ShardWithoutOwner"];
    const some = faults.filter(({ alerts }) => alerts.some(({ alert }) => chosen.includes(alert)));
    const waits = { firesWithinMs: 60_000, clearsWithinMs: 60_000 };
    const timings = await provokeAlerts(stage, some, { say: () => {}, ...waits });
    expect(judge(timings, chosen)).toMatchObject({ alerts: 3, fired: 3, cleared: 3, failed: [], not_provoked: [] });
  });

  test("provokes alerts that there are", async () => {
    const known = new Set((await readAlerts()).map(({ alert }) => alert));
    const named = faults.flatMap(({ alerts }) => alerts.map(({ alert }) => alert));
    expect(named.filter((alert) => !known.has(alert))).toEqual([]);
  });
});
