import { describe, expect, test } from "bun:test";
import type { Observation } from "../../../stack/health.ts";
import type { Allocation } from "../../../stack/nomad.ts";
import { judgeJobs } from "./jobs.ts";

const now = Date.UTC(2027, 0, 1);
const allocation = (over: Partial<Allocation> = {}): Allocation => ({
  ID: "a1b2c3d4-0000",
  Name: "api.api[0]",
  NodeID: "n1",
  TaskGroup: "api",
  JobVersion: 3,
  DesiredStatus: "run",
  ClientStatus: "running",
  CreateIndex: 1,
  ...over,
});
const observation = (over: Partial<Observation> = {}): Observation => ({
  job: { ID: "api", Type: "service", Version: 3, TaskGroups: [{ Name: "api", Count: 1 }] },
  allocations: [allocation()],
  deployment: { ID: "d1", JobVersion: 3, Status: "successful", StatusDescription: "done" },
  evaluations: [{ CreateIndex: 1, Status: "complete", TriggeredBy: "job-register" }],
  checks: [],
  ...over,
});
const judged = (over: Partial<Observation> = {}, missing: string[] = []) =>
  judgeJobs({ missing, observations: [observation(over)], now }).map(({ severity, found }) => [severity, found]);
const deployment = (Status: string, StatusDescription: string, JobVersion = 3) => ({
  deployment: { ID: "d1", JobVersion, Status, StatusDescription },
});

describe("jobs", () => {
  test("that run as requested are healthy", () => {
    expect(judged()).toEqual([]);
    expect(judged(deployment("failed", "older", 2))).toEqual([]);
  });

  test("that do not run are named", () => {
    expect(judged({}, ["workers"])).toEqual([["error", "Job workers does not run."]]);
  });

  test("with too few healthy allocations say why", () => {
    const evaluations = [
      {
        CreateIndex: 2,
        Status: "complete",
        TriggeredBy: "job-register",
        FailedTGAllocs: { api: { NodesEvaluated: 1, DimensionExhausted: { memory: 1 } } },
      },
    ];
    expect(judged({ allocations: [], evaluations, deployment: null })).toEqual([
      ["error", "Job api has 0 of 1 healthy allocation: no node fits api: memory."],
    ]);
  });

  test.each([
    ["failed", "error", { allocations: [allocation({ ClientStatus: "failed" })] }, "its deployment failed: deadline."],
    ["failed", "warning", {}, "The last deployment of job api failed: deadline."],
    ["running", "warning", {}, "A deployment of job api is running: deadline."],
    ["pending", "warning", {}, "A deployment of job api is pending: deadline."],
  ] as const)("report a deployment that is %s as %s", (status, severity, over, found) => {
    expect(judged({ ...deployment(status, "deadline"), ...over })).toEqual([
      [severity, expect.stringContaining(found)],
    ]);
  });

  test("that Nomad left halfway are named", () => {
    const stranded = { ...deployment("running", ""), allocations: [allocation({ DesiredStatus: "stop" })] };
    expect(judged(stranded)).toEqual([["error", "Nomad left the deployment of job api halfway and plans nothing."]]);
  });
});

describe("restarts", () => {
  const restarting = (ages: number[]) =>
    allocation({
      TaskStates: {
        api: {
          State: "running",
          Failed: false,
          Restarts: 99,
          Events: ages.map((s) => ({ Time: (now - s * 1000) * 1e6, Type: "Restarting", DisplayMessage: "" })),
        },
      },
    });

  test("in a loop are an error", () => {
    expect(judged({ allocations: [restarting([5, 10, 15])] })).toEqual([
      ["error", "Allocation api.api[0] (a1b2c3d4) was restarted 3 times or more within 10 min."],
    ]);
  });

  test("long ago or few are none", () => {
    expect(judged({ allocations: [restarting([5, 10])] })).toEqual([]);
    expect(judged({ allocations: [restarting([3_600, 3_601, 3_602])] })).toEqual([]);
  });

  test("as new allocations in a loop are an error", () => {
    const failed = (minutes: number) =>
      allocation({ DesiredStatus: "stop", ClientStatus: "failed", ModifyTime: (now - minutes * 60_000) * 1e6 });
    expect(judged({ allocations: [allocation(), failed(1), failed(2), failed(3)] })).toEqual([
      ["error", "3 allocations of api/api failed within 10 min."],
    ]);
    expect(judged({ allocations: [allocation(), failed(1), failed(2), failed(60)] })).toEqual([]);
  });
});
