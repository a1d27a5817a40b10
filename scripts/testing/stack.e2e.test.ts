import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "../../lib/testing/until.ts";
import { bodyOf } from "../../lib/api-client/index.ts";
import type { ApiClient } from "../../lib/api-client/index.ts";
import { adminApi } from "../cli/operator/admin_api.ts";
import type { Caller } from "../cli/operator/http.ts";
import { simulatorApi } from "../cli/operator/simulator.ts";
import type { Stack } from "../cli/operator/stack.ts";
import { createNomad } from "../stack/nomad.ts";
import { checkSecretRollout, checkSecretsStayHidden } from "./access.ts";
import { checkApiFailover } from "./api_failover.ts";
import { createCluster, resultOf } from "./cluster.ts";
import type { Cluster } from "./cluster.ts";
import { checkDeploys } from "./deploying.ts";
import { checkMonitoring } from "./monitoring/check_stack.ts";
import { checkDoctor, checkLogs } from "./operating.ts";
import { processesOf, serviceProcess } from "./processes.ts";
import { checkTaskAccess } from "./task_access.ts";
import { checkDryRunsAndRefusals, checkScalingUnderLoad, checkConcurrentCommands } from "./scaling.ts";
import { checkProfileChange, checkAutoscaling } from "./workers.ts";

/*
 * One stack goes through its life, so the tests run in the order they are written.
 */
let cluster: Cluster;
let stack: Stack;
let api: ApiClient;
let nomad: Caller;
let simulator: Caller;

const minutes = (n: number) => n * 60_000;

beforeAll(async () => {
  cluster = await createCluster("e2e");
  const up = await cluster.up();
  if (up.code !== 0) throw new Error(`./scripts/up exited ${up.code}`);
  stack = (await Bun.file(join(cluster.state, "stack.json")).json()) as Stack;
  api = await adminApi(stack);
  nomad = createNomad(stack.nomad_addr);
  simulator = await simulatorApi(stack);
}, minutes(15));

afterAll(async () => {
  const { code, stdout, stderr } = await cluster.remove();
  if (code !== 0) throw new Error(`./scripts/down exited ${code}: ${stdout}${stderr}`);
}, minutes(3));

type JobStub = { ID: string; Type: string; Status: string; ParentID: string; JobModifyIndex: number };
type Allocation = {
  ID: string;
  Name: string;
  ClientStatus: string;
  DesiredStatus: string;
  TaskStates: Record<string, { Restarts: number }> | null;
};

const shards = async () => (await bodyOf(api.GET("/v1/admin/shards"))).data;
const sum = (counts: readonly (number | null)[]) => counts.reduce<number>((total, count) => total + (count ?? 0), 0);
const jobs = () => nomad<JobStub[]>("GET", "/v1/jobs");
const running = async (job: string) =>
  (await nomad<Allocation[]>("GET", `/v1/job/${job}/allocations`)).filter(
    (alloc) => alloc.ClientStatus === "running" && alloc.DesiredStatus === "run",
  );
const allocation = async (job: string, index: number) => {
  const found = (await running(job)).find(({ Name }) => Name.endsWith(`[${index}]`));
  if (!found) throw new Error(`${job}[${index}] does not run`);
  return found;
};

/** The process of a shard. */
const shardProcess = async (index: number) => serviceProcess((await allocation("wa-shards", index)).ID, "whatsapp");
/** Waits for the process if Nomad is restarting it. */
const killShard = (index: number) =>
  until(async () => process.kill(await shardProcess(index), "SIGKILL"), {
    what: `shard ${index + 1} to run`,
    everyMs: 200,
  });

type Demo = {
  sent: number;
  delivered: number;
  read: number;
  received: number;
  duplicates: number;
  lost: number;
  reordered: number;
};

async function demo(...args: string[]): Promise<Demo> {
  return resultOf(await cluster.run(["./scripts/task", "demo", "--", "--json", ...args])) as Demo;
}

const clean = (messages: number) => ({
  sent: messages,
  delivered: messages,
  read: messages,
  received: 1,
  duplicates: 0,
  lost: 0,
  reordered: 0,
});

describe("a stack", () => {
  test("up is idempotent and builds nothing again", async () => {
    const before = await jobs();
    const start = performance.now();
    expect((await cluster.up()).code).toBe(0);
    // The other tests and checks run at the same time; a build takes minutes.
    expect(performance.now() - start).toBeLessThan(60_000);
    const unchanged = (list: JobStub[]) =>
      list.filter((job) => job.Type === "service").map(({ ID, JobModifyIndex }) => [ID, JobModifyIndex]);
    expect(unchanged(await jobs())).toEqual(unchanged(before));
  });

  test("every job is healthy and registered in Consul", async () => {
    type Report = { healthy: boolean; shards: { shard: number; healthy: boolean }[] };
    const report = await until<Report | undefined>(
      async () => {
        const read = resultOf(await cluster.run(["./scripts/task", "status", "--", "--json"])) as Report;
        return read.healthy ? read : undefined;
      },
      { what: "every job to be healthy" },
    );
    expect(report.shards.map(({ shard, healthy }) => [shard, healthy])).toEqual([
      [1, true],
      [2, true],
    ]);
    const { stdout } = await cluster.run(["consul", "catalog", "services"]);
    for (const name of [
      "prosaas-api",
      "prosaas-calls",
      "prosaas-call-agent",
      "prosaas-worker-high",
      "prosaas-worker-default",
      "prosaas-worker-low",
      "whatsapp-shard",
      "prosaas-simulator",
      "postgres",
      "redis",
      "pgbouncer",
    ]) {
      expect(stdout.split("\n")).toContain(name);
    }
  });

  test(
    "pairs by QR and exchanges messages with receipts",
    async () => {
      expect(await demo()).toMatchObject(clean(20));
    },
    minutes(3),
  );

  test(
    "takes a recorded call and calls back",
    async () => {
      const output = await cluster.run(["./scripts/task", "demo:call", "--", "--json"]);
      if (output.code !== 0) throw new Error(`demo:call exited ${output.code}: ${output.stderr}`);
      expect(resultOf(output)).toMatchObject({ inbound: "completed", outbound: "completed", announced: true });
    },
    minutes(3),
  );

  test(
    "isolates each shard, without root or capabilities",
    async () => {
      for (const index of [0, 1]) {
        const { ID } = await allocation("wa-shards", index);
        const status = await readFile(`/proc/${await serviceProcess(ID, "whatsapp")}/status`, "utf8");
        expect(/^Uid:\t(\d+)\t(\d+)\t(\d+)/m.exec(status)?.slice(1)).toEqual(["65534", "65534", "65534"]);
        for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
          expect(status).toContain(`${set}:\t0000000000000000`);
        const inside = async (command: string) =>
          (
            await cluster.run([
              "nomad",
              "alloc",
              "exec",
              "-i=false",
              "-t=false",
              "-task",
              "shard",
              ID,
              "/bin/sh",
              "-c",
              command,
            ])
          ).stdout;
        expect(JSON.parse(await inside("cat /auth/shard.json"))).toMatchObject({ shard: index + 1 });
        // Its file system has no data of the agents, volumes of other shards or operator's keys.
        expect(await inside(`cat ${stack.admin_key_file}; ls ${cluster.state} /root /var/lib`)).toBe("");
        const mounts = await inside("cat /proc/self/mounts");
        expect(mounts.split("\n").filter((line) => line.split(" ")[1] === "/auth")).toHaveLength(1);
        for (const other of [0, 1].filter((k) => k !== index))
          expect(mounts).not.toContain((await allocation("wa-shards", other)).ID);
      }
    },
    minutes(1),
  );

  test("is healthy to the doctor, who names a fault", () => checkDoctor(cluster, stack), minutes(2));

  test("logs a request under its id", () => checkLogs(cluster, api), minutes(1));

  test("is monitored by Prometheus", () => checkMonitoring(cluster, stack), minutes(2));

  test("denies a task the resources of others", () => checkTaskAccess(cluster, stack), minutes(1));

  test("rolls out changed secrets one allocation at a time", () => checkSecretRollout(cluster, stack), minutes(4));

  test("deploys in stages, reverts a bad release, goes back", () => checkDeploys(cluster), minutes(5));

  test("shows no secret in jobs, arguments or logs", () => checkSecretsStayHidden(cluster, stack), minutes(1));

  test(
    "loses and doubles nothing when shards are killed",
    async () => {
      const killed = { times: 0, stop: false };
      const killer = async () => {
        // Nomad restarts a shard 20 times a minute and then waits for the minute to end (wa-shards.nomad.hcl).
        while (!killed.stop && killed.times < 15) {
          await killShard(0);
          killed.times += 1;
          await killShard(1);
          await until(async () => (await shards()).filter(({ healthy }) => healthy).length === 2, {
            what: "both shards to return",
            everyMs: 200,
          });
        }
      };
      const accepted = async () => (await simulator<{ messages_accepted: number }>("GET", "/stats")).messages_accepted;
      const before = await accepted();
      const result = demo("--messages", "200", "--every-ms", "25", "--deadline-s", "120");
      // The first kill waits for the first message: a person would repeat an interrupted pairing.
      await until(async () => (await accepted()) > before, { deadlineMs: 120_000, what: "the first message" });
      const killing = killer().catch((error: unknown) => error);
      const outcome = await result;
      killed.stop = true;
      expect(await killing).toBeUndefined();
      expect(killed.times).toBeGreaterThan(0);
      expect(outcome).toMatchObject(clean(200));
    },
    minutes(5),
  );

  test(
    "fails no request when an API allocation stops",
    () => checkApiFailover({ cluster, stack, api, running, allocation }),
    minutes(3),
  );

  test("changes nothing on dry runs and refused scale-downs", () => checkDryRunsAndRefusals(cluster), minutes(1));

  test("runs concurrent scale commands one after the other", () => checkConcurrentCommands(cluster), minutes(2));

  test("switches worker profiles without losing messages", () => checkProfileChange(cluster), minutes(4));

  test("autoscales workers although an autoscaler is killed", () => checkAutoscaling(cluster), minutes(3));

  test("scales shards under load although scripts are killed", () => checkScalingUnderLoad(cluster), minutes(6));

  test(
    "recovers with up after every process was killed",
    async () => {
      const paired = sum((await shards()).map(({ sessions }) => sessions));
      expect(paired).toBeGreaterThan(0);
      const allocations = await nomad<Allocation[]>("GET", "/v1/allocations");
      const agents = await Promise.all(
        ["consul", "nomad-server", "nomad-client"].map((name) => readFile(join(cluster.state, `${name}.pid`), "utf8")),
      );
      const tasks = (
        await Promise.all(
          allocations.filter(({ ClientStatus }) => ClientStatus === "running").map(({ ID }) => processesOf(ID)),
        )
      ).flat();
      for (const pid of [...agents.map(Number), ...tasks]) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {}
      }
      expect((await cluster.up()).code).toBe(0);
      await until(async () => sum((await shards()).map(({ sessions_open }) => sessions_open)) === paired, {
        deadlineMs: 180_000,
        what: `${paired} sessions to open again`,
      });
      expect(await demo()).toMatchObject(clean(20));
    },
    minutes(8),
  );
});
