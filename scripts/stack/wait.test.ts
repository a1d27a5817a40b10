import { afterEach, describe, expect, test } from "bun:test";
import { JobFailure, waitForJobs } from "./wait.ts";

const job = {
  ID: "api",
  Type: "service",
  Version: 1,
  TaskGroups: [{ Name: "api", Count: 1, Services: [{ Name: "s" }] }],
};
const allocation = {
  ID: "a1",
  Name: "api.api[0]",
  NodeID: "n1",
  TaskGroup: "api",
  JobVersion: 1,
  DesiredStatus: "run",
  ClientStatus: "running",
  CreateIndex: 1,
};

const servers: ReturnType<typeof Bun.serve>[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => server.stop(true))));

function serve(answer: (path: string) => Response): string {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: ({ url }) => answer(new URL(url).pathname) });
  servers.push(server);
  return server.url.origin;
}

/** Agents of a job that runs on another node; Consul gives these answers first. */
function agents(first: Response[]) {
  const nomadAddr = serve((path) => {
    if (path.endsWith("/allocations")) return Response.json([allocation]);
    if (path.endsWith("/evaluations")) return Response.json([]);
    return Response.json(path.endsWith("/deployment") ? null : job);
  });
  const node = { CheckID: "serfHealth", ServiceID: "", ServiceName: "", Status: "passing", Output: "" };
  const own = { ...node, CheckID: "ready", ServiceID: "_nomad-task-a1-s", ServiceName: "s" };
  const consulAddr = serve((path) => {
    if (path !== "/v1/health/service/s") return new Response("no agent of this node knows", { status: 404 });
    return first.shift() ?? Response.json([{ Service: { ID: own.ServiceID }, Checks: [node, own] }]);
  });
  return { nomadAddr, consulAddr };
}

describe("waitForJobs", () => {
  test("reads the checks of other nodes from the catalog", async () => {
    await waitForJobs(["api"], agents([]), { until: "settled", deadlineMs: 5_000 });
  });

  test("goes on while Consul has no leader", async () => {
    const electing = () => new Response("No cluster leader", { status: 500 });
    await waitForJobs(["api"], agents([electing(), electing()]), { until: "settled", deadlineMs: 5_000 });
  });

  test("fails with the reason at the deadline", async () => {
    const electing = Array.from({ length: 50 }, () => new Response("No cluster leader", { status: 500 }));
    const waiting = waitForJobs(["api"], agents(electing), { until: "settled", deadlineMs: 500 });
    await expect(waiting).rejects.toThrow(JobFailure);
  });

  test("waits on while more allocations become healthy", async () => {
    let healthy = 0;
    const nomadAddr = serve((path) => {
      if (path.endsWith("/allocations")) {
        healthy = Math.min(healthy + 1, 5);
        return Response.json(Array.from({ length: healthy }, (_, index) => ({ ...allocation, ID: `a${index}` })));
      }
      if (path.endsWith("/evaluations")) return Response.json([]);
      if (path.endsWith("/deployment")) return Response.json(null);
      return Response.json({ ...job, TaskGroups: [{ Name: "api", Count: 5 }] });
    });
    // Five polls take longer than the deadline, and each of them sees one more.
    await waitForJobs(["api"], { nomadAddr, consulAddr: agents([]).consulAddr }, { until: "settled", deadlineMs: 900 });
    expect(healthy).toBe(5);
  });

  test("fails at an unhealthy allocation if asked to", async () => {
    const unhealthy = { ...allocation, ClientStatus: "pending", DeploymentStatus: { Healthy: false } };
    const nomadAddr = serve((path) => {
      if (path.endsWith("/allocations")) return Response.json([unhealthy]);
      if (path.endsWith("/evaluations")) return Response.json([]);
      if (path.endsWith("/deployment"))
        return Response.json({ ID: "d1", JobVersion: 1, Status: "running", StatusDescription: "" });
      return Response.json(job);
    });
    const at = { nomadAddr, consulAddr: agents([]).consulAddr };
    const options = { until: "settled", deadlineMs: 60_000 } as const;
    await expect(waitForJobs(["api"], at, { ...options, endsAtUnhealthy: true })).rejects.toThrow("job api failed");
    const patient = waitForJobs(["api"], at, { ...options, deadlineMs: 500 });
    await expect(patient).rejects.toThrow("job api is not healthy after");
  });

  test("fails when Nomad goes back to the previous release", async () => {
    const deployment = { ID: "d2", JobVersion: 2, Status: "running", StatusDescription: "" };
    const failed = { ...deployment, Status: "failed", StatusDescription: "rolling back to job version 1" };
    let looks = 0;
    const nomadAddr = serve((path) => {
      if (path.endsWith("/allocations")) return Response.json([{ ...allocation, JobVersion: looks > 1 ? 3 : 1 }]);
      if (path.endsWith("/evaluations")) return Response.json([]);
      if (path === "/v1/deployment/d2") return Response.json(failed);
      if (path.endsWith("/deployment"))
        return Response.json({ ...deployment, ...(looks > 1 ? { JobVersion: 3 } : {}) });
      looks += 1;
      return Response.json({ ...job, Version: looks > 1 ? 3 : 2 });
    });
    const waiting = waitForJobs(
      ["api"],
      { nomadAddr, consulAddr: agents([]).consulAddr },
      { until: "serving", deadlineMs: 5_000 },
    );
    await expect(waiting).rejects.toThrow("rolling back to job version 1");
  });

  test("ends a deployment that Nomad left without allocations", async () => {
    let isEnded = false;
    const nomadAddr = serve((path) => {
      if (path.endsWith("/allocations")) return Response.json([{ ...allocation, DesiredStatus: "stop" }]);
      if (path.endsWith("/evaluations"))
        return Response.json([{ CreateIndex: 1, Status: "complete", TriggeredBy: "reconnect" }]);
      if (path === "/v1/deployment/fail/d1") isEnded = true;
      const [Status, StatusDescription] = isEnded ? ["failed", "marked as failed"] : ["running", ""];
      if (path.includes("/deployment")) return Response.json({ ID: "d1", JobVersion: 1, Status, StatusDescription });
      return Response.json(job);
    });
    const waiting = waitForJobs(
      ["api"],
      { nomadAddr, consulAddr: agents([]).consulAddr },
      { until: "serving", deadlineMs: 20_000, strandedMs: 200 },
    );
    await expect(waiting).rejects.toThrow("marked as failed");
    expect(isEnded).toBeTrue();
  });

  test("goes on with a half-updated system job", async () => {
    let evaluated = 0;
    const nomadAddr = serve((path) => {
      if (path.endsWith("/allocations")) return Response.json([{ ...allocation, JobVersion: evaluated > 0 ? 1 : 0 }]);
      if (path.endsWith("/evaluations"))
        return Response.json([{ CreateIndex: 1, Status: "complete", TriggeredBy: "job-register" }]);
      if (path === "/v1/job/api/evaluate") evaluated += 1;
      if (path.endsWith("/deployment"))
        return Response.json({ ID: "d0", JobVersion: 0, Status: "failed", StatusDescription: "" });
      return Response.json({ ...job, Type: "system" });
    });
    await waitForJobs(
      ["api"],
      { nomadAddr, consulAddr: agents([]).consulAddr },
      { until: "settled", deadlineMs: 20_000, strandedMs: 200 },
    );
    expect(evaluated).toBe(1);
  });
});
