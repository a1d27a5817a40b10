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

type Rule = { cooldown: string; check: [{ oldest_job: [{ strategy: [{ "target-value": [{ target: number }] }] }] }] };
type Autoscaled = { failures: number; changes: { group: string; count: number; wanted: number }[] };

/** Starts an autoscaler, which runs until `stop`: how long the scaling takes depends on the machine. */
function startAutoscaler(cluster: Cluster): { stop(): Promise<Autoscaled> } {
  const command = ["scripts/cli/scale/autoscale.ts", "--apply", "--json", "--every-s", "1"];
  const env = { ...process.env, ...cluster.env };
  const child = Bun.spawn([process.execPath, "run", ...command], { env, stdout: "pipe", stderr: "ignore" });
  const output = new Response(child.stdout).text();
  return {
    stop: async () => {
      child.kill("SIGTERM");
      return resultOf({ code: await child.exited, stdout: await output, stderr: "" }) as Autoscaled;
    },
  };
}

/** Two autoscalers add one worker while urgent jobs wait, and remove it afterwards. */
export async function checkAutoscaling(cluster: Cluster): Promise<void> {
  const nomad = await nomadOf(cluster);
  const original = await nomad<Job>("GET", path);
  // As in the job file, but with seconds instead of minutes.
  const hasty = structuredClone(original.TaskGroups).map((group: TaskGroup) => {
    const rule = group.Scaling!.Policy as Rule;
    rule.cooldown = "3s";
    rule.check[0].oldest_job[0].strategy[0]["target-value"][0].target = group.Name === "high" ? 1 : 600;
    return group;
  });
  await nomad("POST", "/v1/jobs", { Job: { ...original, TaskGroups: hasty } });
  const { nomad_addr: nomadAddr, consul_http_addr: consulAddr } = await stackOf(cluster);
  // Nomad does not scale during a deployment, which would wait for the frozen worker's check.
  await waitForJobs(
    ["workers"],
    { nomadAddr, consulAddr },
    { until: "settled", deadlineMs: 120_000, known: ["workers"] },
  );
  const count = async () => (await nomad<Job>("GET", path)).TaskGroups.find(({ Name }) => Name === "high")!.Count;
  const counts = [await count()];
  const frozen = await urgentWorker(nomad);
  process.kill(frozen, "SIGSTOP");
  const scalers = [startAutoscaler(cluster), startAutoscaler(cluster)];
  try {
    const demo = task(cluster, "demo", "--deadline-s", "120");
    const follow = async (wanted: number) => {
      const seen = async () => ((now) => (now !== counts.at(-1) && counts.push(now), now === wanted))(await count());
      await until(seen, { deadlineMs: 120_000, what: `${wanted} urgent workers`, everyMs: 200 });
    };
    await follow(2);
    expect(resultOf(await demo)).toMatchObject({ read: 20, lost: 0, duplicates: 0, reordered: 0 });
    process.kill(frozen, "SIGCONT");
    await follow(1);
    const results = await Promise.all(scalers.map((scaler) => scaler.stop()));
    expect(counts).toEqual([1, 2, 1]);
    expect(await count()).toBe(1);
    expect(
      results.flatMap(({ changes }) => changes.map(({ count: from, wanted }) => [from, wanted])).toSorted(),
    ).toEqual([
      [1, 2],
      [2, 1],
    ]);
    expect(results.map(({ failures }) => failures)).toEqual([0, 0]);
  } finally {
    process.kill(frozen, "SIGCONT");
    await Promise.allSettled(scalers.map((scaler) => scaler.stop()));
    await nomad("POST", "/v1/jobs", { Job: original });
  }
}
