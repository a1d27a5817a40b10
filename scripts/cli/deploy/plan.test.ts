import { describe, expect, test } from "bun:test";
import type { Job } from "../../stack/nomad.ts";
import { describePlan, jobPlanOf } from "./plan.ts";

const address = (hash: string) => `https://releases.example.com/prosaas-workers-${hash}.tar.gz?checksum=sha256:${hash}`;
const workers = (hash: string, counts: Record<string, number>): Job => ({
  ID: "workers",
  Type: "service",
  Version: 4,
  TaskGroups: Object.entries(counts).map(([Name, Count]) => ({
    Name,
    Count,
    Tasks: [{ Name: "worker", Artifacts: [{ GetterSource: address(hash) }] }],
  })),
});

describe("the plan of a job", () => {
  const [running, job] = [workers("0a1b", { high: 1, low: 2 }), workers("2c3d", { high: 1, low: 2 })];

  test("names releases, kept counts and differing parts", () => {
    const plan = jobPlanOf({ job, running, changed: ["high/worker/Artifact/GetterSource"] });
    expect(plan).toMatchObject({
      action: "change",
      counts: { high: 1, low: 2 },
      release: { from: "0a1b", to: "2c3d" },
      version: 4,
    });
    expect(describePlan(plan)).toBe(
      "workers          release 0a1b → 2c3d; counts high 1, low 2 kept; differs in high/worker/Artifact/GetterSource",
    );
  });

  test("starts a job that does not run", () => {
    const plan = jobPlanOf({ job, running: null, changed: [] });
    expect(plan).toMatchObject({ action: "start", release: { from: null, to: "2c3d" }, version: null });
    expect(describePlan(plan)).toContain("release 2c3d; starts with counts high 1, low 2");
  });

  test("changes nothing that is the same", () => {
    expect(jobPlanOf({ job: running, running, changed: [] }).action).toBe("none");
  });

  test("counts parts that are too many to list", () => {
    const parts = ["a", "b", "c", "d", "e", "f"];
    expect(describePlan(jobPlanOf({ job, running, changed: parts }))).toContain("differs in a, b, c, d and 2 more");
  });
});
