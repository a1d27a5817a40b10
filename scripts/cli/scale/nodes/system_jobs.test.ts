import { describe, expect, test } from "bun:test";
import { createReport } from "../report.ts";
import type { Target } from "../target.ts";
import { clusterOf, group, node } from "../testing/cluster_model.ts";
import { awaitSystemJobs, systemJobsOf } from "./system_jobs.ts";

const report = createReport({ waiting: () => {}, done: () => {} });

/** A Nomad that starts the job at its first evaluation, or never. */
function nomadThat({ starts }: { starts: boolean }) {
  const evaluations: string[] = [];
  const running = { ID: "a", Name: "logs.logs[0]", JobID: "logs", TaskGroup: "logs", NodeID: "n1" };
  const nomad = (_: string, path: string) => {
    if (path.endsWith("/evaluate")) evaluations.push(path);
    const isRunning = starts && evaluations.length > 0;
    return Promise.resolve(isRunning ? [{ ...running, DesiredStatus: "run", ClientStatus: "running" }] : []);
  };
  return { target: { nomad } as unknown as Target, evaluations };
}

describe("awaitSystemJobs", () => {
  test("evaluates a missing job once", async () => {
    const { target, evaluations } = nomadThat({ starts: true });
    await awaitSystemJobs(target, node(1), ["logs"], report, { deadlineMs: 5_000 }, 0);
    expect(evaluations).toEqual(["/v1/job/logs/evaluate"]);
  });

  test("fails when a job stays missing", async () => {
    const { target, evaluations } = nomadThat({ starts: false });
    const waited = awaitSystemJobs(target, node(1), ["logs"], report, { deadlineMs: 700 }, 0);
    await expect(waited).rejects.toThrow("logs does not run on client-1");
    expect(evaluations).toHaveLength(1);
  });
});

test("systemJobsOf selects jobs of the node's pool", () => {
  const groups = [
    group("logs", { type: "system", pool: "all" }),
    group("edge", { type: "system", pool: "edge" }),
    group("api"),
  ];
  expect(systemJobsOf(clusterOf({ nodes: [], shards: [], groups }), node(1))).toEqual(["logs"]);
});
