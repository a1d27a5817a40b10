import { describe, expect, test } from "bun:test";
import type { Nomad } from "../../../stack/nomad.ts";
import { durationMs, readLastChanges, readPolicies } from "./policies.ts";

describe("scaling policies", () => {
  test("parse Nomad's durations and nothing else", () => {
    expect(["90s", "1m", "1m30s", "250ms", "1h0m0s"].map(durationMs)).toEqual([90_000, 60_000, 90_000, 250, 3_600_000]);
    for (const wrong of ["", "90", "soon", "1 m", "m"]) expect(() => durationMs(wrong), wrong).toThrow("no duration");
  });

  test("leave out disabled ones", async () => {
    const policy = (group: string, enabled: boolean) => ({
      Enabled: enabled,
      Min: 1,
      Max: 20,
      Target: { Namespace: "default", Job: "workers", Group: group },
      Policy: {
        cooldown: "1m",
        evaluation_interval: "10s",
        check: [
          { oldest_job: [{ source: "prometheus", query: "max(x)", strategy: [{ "target-value": [{ target: 10 }] }] }] },
        ],
      },
    });
    const answers: Record<string, unknown> = {
      "/v1/scaling/policies?job=workers": [{ ID: "a" }, { ID: "b" }],
      "/v1/scaling/policy/a": policy("default", true),
      "/v1/scaling/policy/b": policy("low", false),
    };
    const nomad = (async (_: string, path: string) => answers[path]) as Nomad;
    expect(await readPolicies({ nomad })).toEqual([
      { group: "default", min: 1, max: 20, waitMs: 10_000, cooldownMs: 60_000 },
    ]);
  });

  test("find the newest event that changed a count", async () => {
    const event = (ms: number, PreviousCount: number, Count: number | null) => ({
      Time: ms * 1e6,
      PreviousCount,
      Count,
    });
    const TaskGroups = {
      high: { Events: [event(90_000, 2, 2), event(60_000, 1, 2), event(30_000, 2, 1)] },
      default: { Events: null },
      low: { Events: [event(200_000, 1, 3), event(90_000, 3, null)] },
    };
    const nomad = (async () => ({ TaskGroups })) as unknown as Nomad;
    // A clock that is behind Nomad's sees a change that was just made.
    expect(await readLastChanges({ nomad }, 100_000)).toEqual(
      new Map([
        ["high", 40_000],
        ["low", 0],
      ]),
    );
  });
});
