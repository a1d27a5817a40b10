import { describe, expect, test } from "bun:test";
import { chooseSources } from "./choose.ts";
import type { LoggedAllocation } from "./choose.ts";

const now = Date.UTC(2027, 0, 1);
const allocation = (over: Partial<LoggedAllocation> = {}): LoggedAllocation => ({
  ID: "a1",
  Name: "api.api[0]",
  JobID: "api",
  TaskGroup: "api",
  ClientStatus: "running",
  ModifyTime: (now - 3_600_000) * 1e6,
  TaskStates: { api: { State: "running" } },
  ...over,
});
const high = allocation({ ID: "w1", Name: "workers.high[0]", JobID: "workers", TaskGroup: "high" });
const low = allocation({ ID: "w2", Name: "workers.low[0]", JobID: "workers", TaskGroup: "low" });
const migration = allocation({ ID: "m1", JobID: "migrate/dispatch-17-ab" });
const all = [allocation(), high, low, migration];

const chosen = (services: string[], from: readonly LoggedAllocation[] = all) => [
  ...new Set(chooseSources(from, { services, since: now - 60_000 }).map((source) => source.allocation)),
];

describe("chooseSources", () => {
  test("finds jobs, groups and dispatched jobs", () => {
    expect(chosen([])).toEqual(["a1", "w1", "w2", "m1"]);
    expect(chosen(["workers"])).toEqual(["w1", "w2"]);
    expect(chosen(["workers/low", "api"])).toEqual(["a1", "w2"]);
    expect(chosen(["migrate"])).toEqual(["m1"]);
  });

  test("names what there is", () => {
    expect(() => chosen(["apii"])).toThrow('Nomad has no allocation of "apii". It has api, migrate, workers.');
  });

  test("takes allocations that ended since then", () => {
    const ended = (ms: number) => allocation({ ID: "e1", ClientStatus: "failed", ModifyTime: (now - ms) * 1e6 });
    expect(chosen([], [ended(30_000)])).toEqual(["e1"]);
    expect(chosen([], [ended(90_000)])).toEqual([]);
  });

  test("reads both outputs of each task that began", () => {
    const states = { nginx: { State: "running" }, render: { State: "dead" }, later: { State: "pending" } };
    const sources = chooseSources([allocation({ TaskStates: states })], { services: [], since: now });
    expect(sources.map(({ name, stream, isRunning }) => [name, stream, isRunning])).toEqual([
      ["api.api[0]/nginx", "stdout", true],
      ["api.api[0]/nginx", "stderr", true],
      ["api.api[0]/render", "stdout", false],
      ["api.api[0]/render", "stderr", false],
    ]);
  });

  test("refuses more outputs than connections", () => {
    const many = Array.from({ length: 41 }, (_, index) => allocation({ ID: `s${index}` }));
    expect(() => chosen([], many)).toThrow("82 outputs of tasks are more than can be read at once (80)");
  });
});
