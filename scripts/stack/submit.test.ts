import { describe, expect, test } from "bun:test";
import { HttpFailure } from "../cli/operator/http.ts";
import type { Job, Nomad } from "./nomad.ts";
import type { Diff } from "./plan_diff.ts";
import { keepCounts, submit } from "./submit.ts";

describe("keepCounts", () => {
  const workers = (counts: Record<string, number>) => ({
    ID: "workers",
    Type: "service",
    TaskGroups: Object.entries(counts).map(([Name, Count]) => ({ Name, Count })),
  });

  test("keeps counts of the cluster and adds new groups", () => {
    expect(keepCounts(workers({ high: 1, low: 1, default: 1 }), workers({ high: 5, low: 0 }))).toEqual(
      workers({ high: 5, low: 0, default: 1 }),
    );
  });

  test("drops groups that the file dropped", () => {
    expect(keepCounts(workers({ all: 3 }), workers({ high: 5 }))).toEqual(workers({ all: 3 }));
  });
});

describe("submit", () => {
  const job = (over: Partial<Job> = {}): Job => ({ ID: "pgbouncer", Type: "system", TaskGroups: [], ...over });

  /** A Nomad that runs one job, plans `diff` and records what it is asked to change. */
  const nomadWith = (running: Job | null, diff: Diff = { Type: "None" }, cluster: Record<string, object[]> = {}) => {
    const changes: string[] = [];
    const nomad = (async (method: string, path: string, body?: { JobModifyIndex?: number }) => {
      if (["/v1/nodes", "/v1/allocations"].includes(path)) return cluster[path] ?? [];
      if (path.endsWith("/plan")) return { Diff: diff };
      if (path.endsWith("/deployment")) return null;
      if (method !== "GET") changes.push(`${method} ${path} ${body?.JobModifyIndex ?? ""}`.trim());
      else if (running === null) throw new HttpFailure(404, "job not found");
      return running;
    }) as Nomad;
    return { nomad, changes };
  };

  test("replaces a job whose type changed", async () => {
    const { nomad, changes } = nomadWith(job({ Type: "service", JobModifyIndex: 7 }));
    expect(await submit(nomad, job())).toEqual(["Type"]);
    expect(changes).toEqual(["DELETE /v1/job/pgbouncer?purge=true", "POST /v1/jobs 0"]);
  });

  test("registers a new job", async () => {
    const { nomad, changes } = nomadWith(null);
    expect(await submit(nomad, job())).toEqual([]);
    expect(changes).toEqual(["POST /v1/jobs 0"]);
  });

  test("registers a changed job over the running one", async () => {
    const diff: Diff = { Type: "Edited", Fields: [{ Type: "Edited", Name: "Priority" }] };
    const { nomad, changes } = nomadWith(job({ JobModifyIndex: 7 }), diff);
    expect(await submit(nomad, job())).toEqual(["Priority"]);
    expect(changes).toEqual(["POST /v1/jobs 7"]);
  });

  describe("of a system job beside an ineligible node", () => {
    const diff: Diff = { Type: "Edited", Fields: [{ Type: "Edited", Name: "Priority" }] };
    const onNode = (JobID: string, JobType: string) => ({ JobID, JobType, NodeID: "n2", ClientStatus: "running" });
    const clusterWith = (...allocations: object[]) => ({
      "/v1/nodes": [{ ID: "n2", Name: "client-2", Status: "ready", SchedulingEligibility: "ineligible" }],
      "/v1/allocations": allocations,
    });

    test("is refused while services run there", async () => {
      const cluster = clusterWith(onNode("pgbouncer", "system"), onNode("api", "service"));
      const { nomad, changes } = nomadWith(job(), diff, cluster);
      await expect(submit(nomad, job())).rejects.toThrow("client-2 is ineligible but not empty");
      expect(changes).toEqual([]);
    });

    test("goes on if nothing needs it there", async () => {
      for (const cluster of [clusterWith(onNode("pgbouncer", "system")), clusterWith(onNode("api", "service"))])
        expect(await submit(nomadWith(job(), diff, cluster).nomad, job())).toEqual(["Priority"]);
    });
  });

  test("registers a stopped job", async () => {
    const { nomad, changes } = nomadWith(job({ Stop: true, JobModifyIndex: 7 }));
    expect(await submit(nomad, job())).toEqual(["Stop"]);
    expect(changes).toEqual(["POST /v1/jobs 7"]);
  });

  test("leaves an unchanged job alone", async () => {
    const { nomad, changes } = nomadWith(job({ JobModifyIndex: 7 }));
    expect(await submit(nomad, job())).toBeUndefined();
    expect(changes).toEqual([]);
  });
});
