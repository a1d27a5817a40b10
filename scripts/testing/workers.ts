import { expect } from "bun:test";
import { join } from "node:path";
import { until } from "../../lib/testing/until.ts";
import type { Caller } from "../cli/operator/http.ts";
import type { Stack } from "../cli/operator/stack.ts";
import { createNomad } from "../stack/nomad.ts";
import type { Allocation, Job, TaskGroup } from "../stack/nomad.ts";
import { waitForJobs } from "../stack/wait.ts";
import { resultOf } from "./cluster.ts";
import type { Cluster } from "./cluster.ts";
import { serviceProcess } from "./processes.ts";

/** Checks of the worker groups and their counts on the stack of the end-to-end test. */

const path = "/v1/job/workers";
const task = (cluster: Cluster, name: string, ...options: string[]) =>
  cluster.run(["./scripts/task", ...name.split(" "), "--", "--json", ...options]);

const stackOf = (cluster: Cluster): Promise<Stack> => Bun.file(join(cluster.state, "stack.json")).json();
const nomadOf = async (cluster: Cluster): Promise<Caller> => createNomad((await stackOf(cluster)).nomad_addr);

const alive = async (nomad: Caller) =>
  (await nomad<Allocation[]>("GET", `${path}/allocations`)).filter(({ ClientStatus }) =>
    ["running", "pending"].includes(ClientStatus),
  );
const groupsAlive = async (nomad: Caller) => (await alive(nomad)).map(({ TaskGroup: group }) => group).toSorted();

/** Waits until exactly these groups have allocations: a stopped one still runs for a moment. */
const untilAlive = async (nomad: Caller, groups: readonly string[]) => {
  const isSettled = async () => (await groupsAlive(nomad)).join() === groups.join();
  await until(isSettled, { what: `allocations of ${groups.join(", ")} alone`, everyMs: 200 });
};

/** Switches the worker profile and back while messages flow; the first attempt is killed. */
export async function checkProfileChange(cluster: Cluster): Promise<void> {
  const nomad = await nomadOf(cluster);
  const demo = task(cluster, "demo", "--messages", "150", "--every-ms", "200", "--deadline-s", "120");

  const interrupted = Bun.spawn(["./scripts/task", "scale:profile", "PROFILE=single"], {
    env: { ...process.env, ...cluster.env },
    stderr: "ignore",
    stdout: "ignore",
    detached: true,
  });
  await until(async () => (await groupsAlive(nomad)).includes("all"), {
    what: "the first of the new workers",
  });
  process.kill(-interrupted.pid, "SIGKILL");
  await interrupted.exited;

  expect(resultOf(await task(cluster, "scale:profile PROFILE=single"))).toMatchObject({ ok: true });
  await untilAlive(nomad, ["all", "all", "all"]);
  type Status = { healthy: boolean; drift: { what: string }[] };
  const status = await until<Status | undefined>(
    async () => {
      const read = resultOf(await task(cluster, "status")) as Status;
      return read.healthy ? read : undefined;
    },
    { what: "every job to be healthy" },
  );
  expect(status.drift.filter(({ what }) => what.startsWith("workers"))).toEqual([]);
  expect(await task(cluster, "scale:workers GROUP=high N=2")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("it has all"),
  });

  expect(resultOf(await task(cluster, "scale:profile PROFILE=groups"))).toMatchObject({ ok: true });
  await untilAlive(nomad, ["default", "high", "low"]);
  expect(resultOf(await demo)).toMatchObject({ read: 150, lost: 0, duplicates: 0, reordered: 0 });
}

/** The process of the only worker of group high. */
async function urgentWorker(nomad: Caller): Promise<number> {
  const { ID } = (await alive(nomad)).find(({ TaskGroup: group }) => group === "high")!;
  return serviceProcess(ID, "workers");
}

/** Starts the job on the stack, with rounds of a second. */
async function startAutoscaler(cluster: Cluster, nomad: Caller): Promise<void> {
  const path = "nomad/jobs/autoscaler";
  await nomad("PUT", `/v1/var/${path}`, { Path: path, Items: { AUTOSCALER_INTERVAL_MS: "1000" } });
  const run = "set -a; . $PROSAAS_STATE_DIR/job.env; set +a; nomad job run nomad/platform/autoscaler.nomad.hcl";
  const { code, stdout, stderr } = await cluster.run(["bash", "-c", run]);
  expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""]);
}

type Scaling = {
  active: { allocation: string } | null;
  groups: { group: string; held_until: string | null; last_change: { by: string; from: number; to: number } | null }[];
};

/**
 * The job autoscaler adds a worker while urgent jobs wait. Its active allocation is killed, and the other one removes
 * the worker afterwards.
 */
export async function checkAutoscaling(cluster: Cluster): Promise<void> {
  const nomad = await nomadOf(cluster);
  const original = await nomad<Job>("GET", path);
  // As in the job file, but with seconds instead of minutes.
  const hasty = structuredClone(original.TaskGroups).map((group: TaskGroup) => {
    const oldest_job_seconds = group.Name === "high" ? 1 : 600;
    return { ...group, Scaling: { ...group.Scaling!, Policy: { oldest_job_seconds, cooldown: "3s", calm: "6s" } } };
  });
  await nomad("POST", "/v1/jobs", { Job: { ...original, TaskGroups: hasty } });
  // A count that is set by hand stays, whatever the load of this machine is.
  for (const job of ["api", "calls"]) {
    const { TaskGroups } = await nomad<Job>("GET", `/v1/job/${job}`);
    await nomad("POST", `/v1/job/${job}/scale`, { Target: { Group: job }, Count: TaskGroups[0]!.Count });
  }
  const { nomad_addr: nomadAddr, consul_http_addr: consulAddr } = await stackOf(cluster);
  // Nomad does not scale during a deployment, which would wait for the frozen worker's check.
  await waitForJobs(
    ["workers"],
    { nomadAddr, consulAddr },
    { until: "settled", deadlineMs: 120_000, known: ["workers"] },
  );
  await startAutoscaler(cluster, nomad);
  const state = async () => resultOf(await task(cluster, "autoscale")) as Scaling;
  const count = async () => (await nomad<Job>("GET", path)).TaskGroups.find(({ Name }) => Name === "high")!.Count;
  const counts = [await count()];
  const frozen = await urgentWorker(nomad);
  process.kill(frozen, "SIGSTOP");
  try {
    const demo = task(cluster, "demo", "--deadline-s", "120");
    const follow = async (wanted: number) => {
      const seen = async () => ((now) => (now !== counts.at(-1) && counts.push(now), now === wanted))(await count());
      await until(seen, { deadlineMs: 120_000, what: `${wanted} urgent workers`, everyMs: 200 });
    };
    await follow(2);
    const { active } = await state();
    process.kill(await serviceProcess(active!.allocation, "autoscaler"), "SIGKILL");
    expect(resultOf(await demo)).toMatchObject({ read: 20, lost: 0, duplicates: 0, reordered: 0 });
    process.kill(frozen, "SIGCONT");
    await follow(1);
    expect(counts).toEqual([1, 2, 1]);
    const { groups } = await state();
    const of = (name: string) => groups.find(({ group }) => group === name);
    expect(of("workers/high")).toMatchObject({ held_until: null, last_change: { by: "autoscaler", from: 2, to: 1 } });
    expect(of("api")).toMatchObject({ held_until: expect.any(String), last_change: { by: "command" } });
  } finally {
    process.kill(frozen, "SIGCONT");
    await nomad("DELETE", "/v1/job/autoscaler?purge=true");
    await nomad("POST", "/v1/jobs", { Job: original });
  }
}
