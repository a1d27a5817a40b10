import { describe, expect, test } from "bun:test";
import type { Observation } from "../../stack/health.ts";
import type { Job } from "../../stack/nomad.ts";
import { deviation } from "./verify.ts";

const job = (release: string, count: number): Job => ({
  ID: "api",
  Type: "service",
  Version: 5,
  TaskGroups: [
    {
      Name: "api",
      Count: count,
      Tasks: [{ Name: "api", Artifacts: [{ GetterSource: `https://r/prosaas-api-${release}.tar.gz` }] }],
    },
  ],
});

/** A job with `healthy` running allocations. */
function observed(release: string, count: number, healthy: number): Observation {
  const allocations = Array.from({ length: healthy }, (_, index) => ({
    ID: `a${index}`,
    Name: `api.api[${index}]`,
    NodeID: "n",
    TaskGroup: "api",
    JobVersion: 5,
    DesiredStatus: "run",
    ClientStatus: "running",
    CreateIndex: index,
  }));
  return { job: job(release, count), allocations, deployment: null, evaluations: [], checks: [] };
}

const plan = {
  job: "api",
  action: "change",
  parts: [],
  counts: { api: 3 },
  release: { from: "0a", to: "1b" },
  version: 4,
} as const;

describe("deviation", () => {
  test("is none of a healthy job on its release", () => {
    expect(deviation({ ...plan, parts: [] }, observed("1b", 3, 3))).toBeNull();
  });

  test("names a release that Nomad reverted", () => {
    expect(deviation({ ...plan, parts: [] }, observed("0a", 3, 3))).toBe("api runs release 0a, not 1b");
  });

  test("names a count that was reset", () => {
    expect(deviation({ ...plan, parts: [] }, observed("1b", 2, 2))).toBe("api/api has the count 2, not 3");
  });

  test("names missing allocations", () => {
    expect(deviation({ ...plan, parts: [] }, observed("1b", 3, 2))).toContain("2 of 3 healthy allocations");
  });
});
