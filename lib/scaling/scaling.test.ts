import { describe, expect, test } from "bun:test";
import {
  durationMs,
  holdOf,
  lastChangeOf,
  nameOf,
  parseControl,
  parseHolder,
  parseJob,
  parseScaleStatus,
} from "./index.ts";

const job = (Scaling: object | null, more: object = {}) => ({
  ID: "api",
  JobModifyIndex: 7,
  TaskGroups: [{ Name: "api", Count: 2, Services: [{ Name: "prosaas-api" }], Scaling, ...more }],
});

describe("a scaling block", () => {
  const parsed = (Policy: object) => parseJob(job({ Enabled: true, Min: 1, Max: 8, Policy })).groups[0]!.policy;

  test("has defaults for all but its target", () => {
    expect(parseJob(job({ Enabled: null, Min: 1, Max: 8, Policy: { cpu: 0.6 } }))).toEqual({
      modifyIndex: 7,
      groups: [
        {
          job: "api",
          group: "api",
          service: "prosaas-api",
          count: 2,
          min: 1,
          max: 8,
          policy: {
            targets: { oldest_job_seconds: undefined, cpu: 0.6, streams: undefined },
            keep: 1,
            cooldownMs: 60_000,
            calmMs: 300_000,
            holdMs: 3_600_000,
          },
        },
      ],
    });
    expect(parsed({ streams: 9, keep: 2, cooldown: "90s", calm: "10m", hold: "2h" })).toMatchObject({
      keep: 2,
      cooldownMs: 90_000,
      calmMs: 600_000,
      holdMs: 7_200_000,
    });
  });

  test("is refused by name if it is wrong", () => {
    expect(parsed({ cpus: 1, cpu: 1 })).toContain("cpus");
    expect(parsed({})).toContain("has no target");
    expect(parsed({ cpu: 0 })).toContain("cpu");
    expect(parsed({ cpu: 1, calm: "soon" })).toContain("calm");
    // As HashiCorp's autoscaler would read it.
    expect(parsed({ check: [{ oldest: [{ source: "prometheus" }] }] })).toContain("check");
  });

  test("counts only where it is enabled", () => {
    expect(parseJob(job({ Enabled: false, Min: 1, Max: 8, Policy: { cpu: 1 } })).groups).toEqual([]);
    expect(parseJob(job(null)).groups).toEqual([]);
    const stopped = { ...job({ Enabled: true, Min: 1, Max: 8, Policy: { cpu: 1 } }), Stop: true };
    expect(parseJob(stopped).groups).toEqual([]);
  });

  test("parses Nomad's durations and nothing else", () => {
    expect(["90s", "1m", "1m30s", "250ms", "1h0m0s"].map(durationMs)).toEqual([90_000, 60_000, 90_000, 250, 3_600_000]);
    for (const wrong of ["", "90", "soon", "1 m", "m"]) expect(() => durationMs(wrong), wrong).toThrow("no duration");
  });

  test("names groups as people do", () => {
    expect([nameOf({ job: "api", group: "api" }), nameOf({ job: "workers", group: "high" })]).toEqual([
      "api",
      "workers/high",
    ]);
  });
});

describe("scaling events", () => {
  const event = (ms: number, PreviousCount: number, Count: number | null, more: object = {}) => ({
    Time: ms * 1e6,
    PreviousCount,
    Count,
    CreateIndex: ms,
    ...more,
  });
  const automatic = { Meta: { autoscaler: 4 } };
  const eventsOf = (...Events: object[]) =>
    parseScaleStatus({ TaskGroups: { api: { Running: 2, Events } } }).get("api")!.events;
  const hour = 3_600_000;
  const hold = (events: ReturnType<typeof eventsOf>, now: number, resumedAt = 0) =>
    holdOf(events, { holdMs: hour, resumedAt }, now);

  test("date the last change of the count", () => {
    const events = eventsOf(event(30_000, 2, 1), event(90_000, 2, 2), event(60_000, 1, 2), event(95_000, 2, null));
    expect(lastChangeOf(events, 100_000)).toBe(40_000);
    // A clock that is behind Nomad's sees a change that was just made.
    expect(lastChangeOf(events, 50_000)).toBe(0);
    expect(lastChangeOf(eventsOf(), 100_000)).toBeNull();
    expect(parseScaleStatus({ TaskGroups: { api: { Running: 0, Events: null } } }).get("api")?.events).toEqual([]);
  });

  test("hold a count that a command set", () => {
    const events = eventsOf(event(1_000, 1, 2, automatic), event(2_000, 2, 5));
    expect(hold(events, 3_000)).toEqual({ count: 5, untilMs: 2_000 + hour });
    expect(hold(events, 2_000 + hour)).toBeNull();
    expect(hold(eventsOf(event(2_000, 5, 5)), 3_000)).toMatchObject({ count: 5 });
  });

  test("hold none that the autoscaler set", () => {
    expect(hold(eventsOf(event(1_000, 2, 5), event(2_000, 5, 6, automatic)), 3_000)).toBeNull();
    expect(hold(eventsOf(), 3_000)).toBeNull();
  });

  test("hold none from before a resume", () => {
    const events = eventsOf(event(2_000, 2, 5));
    expect(hold(events, 3_000, 2_000)).toBeNull();
    expect(hold(events, 3_000, 1_999)).not.toBeNull();
  });
});

test("damaged values in Consul are ignored", () => {
  expect(parseControl('{"paused": true}')).toEqual({ paused: true, resumedAt: 0 });
  for (const text of ["", "{", '{"paused": 1}']) expect([parseControl(text), parseHolder(text)]).toEqual([null, null]);
});
