import { describe, expect, test } from "bun:test";
import { isStalled, isStranded, judge } from "./health.ts";
import type { Observation } from "./health.ts";
import type { Allocation } from "./nomad.ts";

const job = {
  ID: "api",
  Type: "service",
  Version: 3,
  TaskGroups: [{ Name: "api", Count: 1, Services: [{ Name: "prosaas-api" }] }],
};

const allocation = (over: Partial<Allocation> = {}): Allocation => ({
  ID: "a1",
  Name: "api.api[0]",
  NodeID: "n1",
  TaskGroup: "api",
  JobVersion: 3,
  DesiredStatus: "run",
  ClientStatus: "running",
  CreateIndex: 1,
  TaskStates: {},
  ...over,
});

const check = (over = {}) => ({
  ServiceID: "_nomad-task-a1-group-api-prosaas-api-http",
  ServiceName: "prosaas-api",
  Status: "passing",
  Output: "",
  ...over,
});

const observe = (over: Partial<Observation> = {}): Observation => ({
  job,
  allocations: [allocation()],
  deployment: { ID: "d1", JobVersion: 3, Status: "successful", StatusDescription: "" },
  evaluations: [],
  checks: [check()],
  ...over,
});

const evaluation = { CreateIndex: 1, Status: "complete", TriggeredBy: "job-register", FailedTGAllocs: null };

describe("judge", () => {
  test("running, passing and deployed is settled", () => {
    expect(judge(observe())).toMatchObject({ state: "settled", healthy: 1, wanted: 1 });
  });

  test("running and passing serves while its deployment goes on", () => {
    expect(
      judge(observe({ deployment: { ID: "d1", JobVersion: 3, Status: "running", StatusDescription: "" } })).state,
    ).toBe("serving");
  });

  test("an older version's deployment says nothing", () => {
    const deployment = { ID: "d1", JobVersion: 2, Status: "failed", StatusDescription: "old" };
    expect(judge(observe({ deployment })).state).toBe("settled");
  });

  test("allocations of an older version do not count", () => {
    expect(judge(observe({ allocations: [allocation({ JobVersion: 2 })] })).state).toBe("waiting");
  });

  test("waits for a service to register", () => {
    expect(judge(observe({ checks: [] })).state).toBe("waiting");
  });

  test("waits for every check and names the failing one", () => {
    const checks = [check(), check({ Status: "critical", Output: "HTTP GET /ready: 503\nredis" })];
    expect(judge(observe({ checks }))).toMatchObject({ state: "waiting", why: "HTTP GET /ready: 503 redis" });
  });

  test("another allocation's passing check does not help", () => {
    expect(judge(observe({ checks: [check({ ServiceID: "_nomad-task-a2-group-api" })] })).state).toBe("waiting");
  });

  test("what cannot be placed names the constraint", () => {
    const evaluations = [
      { ...evaluation, CreateIndex: 1 },
      {
        ...evaluation,
        CreateIndex: 2,
        FailedTGAllocs: { api: { NodesEvaluated: 1, ConstraintFiltered: { "missing compatible host volumes": 1 } } },
      },
    ];
    expect(judge(observe({ allocations: [], evaluations })).why).toBe(
      "no node fits api: missing compatible host volumes",
    );
  });

  const givenUp = { ID: "d1", JobVersion: 3, Status: "failed", StatusDescription: "Failed due to progress deadline" };

  test("fails with the description of a failed deployment", () => {
    expect(judge(observe({ deployment: givenUp, checks: [] }))).toMatchObject({
      state: "failed",
      why: "Failed due to progress deadline",
    });
  });

  test("settles when allocations recover after a failed deployment", () => {
    expect(judge(observe({ deployment: givenUp })).state).toBe("settled");
  });

  test("names the last event of a restarting task", () => {
    const TaskStates = {
      api: {
        State: "pending",
        Failed: false,
        Restarts: 4,
        Events: [{ Time: 1, Type: "Terminated", DisplayMessage: "Exit Code: 2" }],
      },
    };
    expect(judge(observe({ allocations: [allocation({ ClientStatus: "pending", TaskStates })], checks: [] })).why).toBe(
      "restarted 4 times: Exit Code: 2",
    );
  });

  describe("a system job", () => {
    const system = { ...job, Type: "system", TaskGroups: [{ ...job.TaskGroups[0]!, Count: 1 }] };
    const onTwo = [allocation(), allocation({ ID: "a2", NodeID: "n2" })];
    const both = [check(), check({ ServiceID: "_nomad-task-a2-group-api" })];

    test("is settled when every node serves", () => {
      const all = { job: system, allocations: onTwo };
      expect(judge(observe({ ...all, checks: both }))).toMatchObject({ state: "settled", healthy: 2, wanted: 2 });
      expect(judge(observe({ ...all, checks: [check()] }))).toMatchObject({ state: "waiting", healthy: 1, wanted: 2 });
    });

    test("waits for nodes with an older version", () => {
      const allocations = [allocation(), allocation({ ID: "a2", NodeID: "n2", JobVersion: 2 })];
      expect(judge(observe({ job: system, allocations, checks: both })).state).toBe("waiting");
    });

    test("does not wait for nodes that are cut off", () => {
      const cut = allocation({ ID: "a2", NodeID: "n2", JobVersion: 2, ClientStatus: "unknown" });
      const allocations = [allocation(), cut];
      expect(judge(observe({ job: system, allocations })).state).toBe("settled");
    });

    test("does not count a failed allocation beside its replacement", () => {
      const allocations = [allocation({ ID: "a0", CreateIndex: 0, ClientStatus: "failed" }), allocation()];
      expect(judge(observe({ job: system, allocations }))).toMatchObject({ state: "settled", wanted: 1 });
      expect(judge(observe({ job: system, allocations: allocations.slice(0, 1) })).state).toBe("waiting");
    });

    test("waits for its first allocation", () => {
      expect(judge(observe({ job: system, allocations: [], checks: [] })).state).toBe("waiting");
    });
  });

  test("a parameterized job has nothing to wait for", () => {
    expect(judge(observe({ job: { ...job, ParameterizedJob: {} }, allocations: [], checks: [] })).state).toBe(
      "settled",
    );
  });
});

describe("isStranded", () => {
  const running = { ID: "d1", JobVersion: 3, Status: "running", StatusDescription: "" };
  const stopped = [allocation({ DesiredStatus: "stop" }), allocation({ ID: "a2", DesiredStatus: "stop" })];
  const stranded = observe({ deployment: running, allocations: stopped, evaluations: [evaluation] });

  test("finds a deployment that Nomad left without allocations", () => {
    expect(isStranded(stranded)).toBeTrue();
    const delayed = { ...evaluation, Status: "pending", TriggeredBy: "max-disconnect-timeout" };
    expect(isStranded({ ...stranded, evaluations: [evaluation, delayed] })).toBeTrue();
  });

  test.each(["pending", "blocked"])("waits for an evaluation that is %s", (Status) => {
    expect(isStranded({ ...stranded, evaluations: [{ ...evaluation, Status }] })).toBeFalse();
    expect(isStranded({ ...stranded, evaluations: [] })).toBeFalse();
  });

  test("leaves other deployments alone", () => {
    expect(isStranded({ ...stranded, allocations: [...stopped, allocation()] })).toBeFalse();
    expect(isStranded({ ...stranded, deployment: { ...running, Status: "successful" } })).toBeFalse();
    expect(isStranded({ ...stranded, deployment: { ...running, JobVersion: 2 } })).toBeFalse();
  });
});

describe("isStalled", () => {
  const system = { ...job, Type: "system" };
  const failed = { ID: "d1", JobVersion: 2, Status: "failed", StatusDescription: "" };
  const older = allocation({ ID: "a2", NodeID: "n2", JobVersion: 2 });
  const halfUpdated = observe({
    job: system,
    allocations: [allocation(), older],
    deployment: failed,
    evaluations: [evaluation],
  });

  test("finds a system job that is half updated", () => {
    expect(isStalled(halfUpdated)).toBeTrue();
  });

  test("finds a failed allocation without a replacement", () => {
    const lost = allocation({ ID: "a2", NodeID: "n2", ClientStatus: "failed" });
    expect(isStalled({ ...halfUpdated, allocations: [allocation(), lost] })).toBeTrue();
    const replacement = allocation({ ID: "a3", NodeID: "n2", CreateIndex: 2 });
    const checks = [check(), check({ ServiceID: "_nomad-task-a3-group-api" })];
    expect(isStalled({ ...halfUpdated, allocations: [allocation(), lost, replacement], checks })).toBeFalse();
  });

  test("waits until the newest version serves", () => {
    expect(isStalled({ ...halfUpdated, checks: [check({ Status: "critical" })] })).toBeFalse();
  });

  test("leaves Nomad's own progress alone", () => {
    const running = { ...failed, JobVersion: 3, Status: "running" };
    expect(isStalled({ ...halfUpdated, deployment: running })).toBeFalse();
    expect(isStalled({ ...halfUpdated, evaluations: [{ ...evaluation, Status: "pending" }] })).toBeFalse();
    expect(isStalled({ ...halfUpdated, allocations: [allocation()] })).toBeFalse();
    expect(isStalled({ ...halfUpdated, job })).toBeFalse();
  });

  test("does not wait for nodes that are cut off", () => {
    const cut = allocation({ ID: "a2", NodeID: "n2", JobVersion: 2, ClientStatus: "unknown" });
    expect(isStalled({ ...halfUpdated, allocations: [allocation(), cut] })).toBeFalse();
  });
});
