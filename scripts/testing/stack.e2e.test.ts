import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "../../lib/testing/until.ts";
import { bodyOf } from "../../lib/api-client/index.ts";
import type { ApiClient } from "../../lib/api-client/index.ts";
import { adminApi } from "../cli/operator/admin_api.ts";
import { createCaller } from "../cli/operator/http.ts";
import type { Caller } from "../cli/operator/http.ts";
import { simulatorApi } from "../cli/operator/simulator.ts";
import type { Stack } from "../cli/operator/stack.ts";
import { createNomad } from "../stack/nomad.ts";
import { aTaskReachesNothingOfOthers, secretsAreRolledOneAtATime } from "./access.ts";
import { createCluster, resultOf } from "./cluster.ts";
import type { Cluster } from "./cluster.ts";
import { commandLine, processesOf, processIds, serviceProcess } from "./processes.ts";
import { dryRunsAndRefusalsChangeNothing, growsAndShrinksWhilePeopleWrite, twoAtOnceTakeTurns } from "./scaling.ts";
import { profilesChangeWhileMessagesFlow, workersComeAndGoByThemselves } from "./workers.ts";

/*
 * One stack of the test's own goes through its life, so the tests run in the order they are written.
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

test("a second up changes nothing and takes less than 20 s", async () => {
  const before = await jobs();
  const start = performance.now();
  expect((await cluster.up()).code).toBe(0);
  expect(performance.now() - start).toBeLessThan(20_000);
  const unchanged = (list: JobStub[]) =>
    list.filter((job) => job.Type === "service").map(({ ID, JobModifyIndex }) => [ID, JobModifyIndex]);
  expect(unchanged(await jobs())).toEqual(unchanged(before));
});

test("every job is healthy and every service is in Consul", async () => {
  const status = await cluster.run(["./scripts/task", "status", "--", "--json"]);
  const report = resultOf(status) as {
    healthy: boolean;
    shards: { shard: number; healthy: boolean }[];
  };
  expect(report.healthy).toBeTrue();
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
  "a business pairs by QR, its messages go out in order, their ticks and a reply come back",
  async () => {
    expect(await demo()).toMatchObject(clean(20));
  },
  minutes(3),
);

test(
  "a business is called through the edge, talks by its agent, is recorded, and calls back",
  async () => {
    const output = await cluster.run(["./scripts/task", "demo:call", "--", "--json"]);
    if (output.code !== 0) throw new Error(`demo:call exited ${output.code}: ${output.stderr}`);
    expect(resultOf(output)).toMatchObject({ inbound: "completed", outbound: "completed", announced: true });
  },
  minutes(3),
);

test(
  "each shard runs as a user other than root, without capabilities, and sees no volume but its own",
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
      // The agents' data, the other shards' volumes and the operator's keys are nowhere in its file system.
      expect(await inside(`cat ${stack.admin_key_file}; ls ${cluster.state} /root /var/lib`)).toBe("");
      const mounts = await inside("cat /proc/self/mounts");
      expect(mounts.split("\n").filter((line) => line.split(" ")[1] === "/auth")).toHaveLength(1);
      for (const other of [0, 1].filter((k) => k !== index))
        expect(mounts).not.toContain((await allocation("wa-shards", other)).ID);
    }
  },
  minutes(1),
);

test(
  "a task reaches no secret, job, volume or key of others",
  () => aTaskReachesNothingOfOthers(cluster, stack),
  minutes(1),
);

test(
  "changed secrets are rolled out one allocation at a time",
  () => secretsAreRolledOneAtATime(cluster, stack),
  minutes(4),
);

test(
  "no secret is in a job, an argument or a log",
  async () => {
    const secrets = new Set<string>();
    for (const { Path } of await nomad<{ Path: string }[]>("GET", "/v1/vars?prefix=nomad/jobs")) {
      const { Items } = await nomad<{ Items: Record<string, string> }>("GET", `/v1/var/${Path}`);
      for (const [name, value] of Object.entries(Items))
        if (/password|token|key|seed|auth/i.test(name) && !/root|cert|tls_authority/i.test(name)) secrets.add(value);
        else if (URL.canParse(value) && new URL(value).password !== "") secrets.add(new URL(value).password);
    }
    expect(secrets.size).toBeGreaterThanOrEqual(6);
    const places: string[] = [];
    for (const { ID } of await jobs())
      places.push(JSON.stringify(await nomad("GET", `/v1/job/${encodeURIComponent(ID)}`)));
    for (const pid of await processIds()) places.push(await commandLine(pid));
    const found = await Promise.all(
      ["logs/*", "nomad/**/alloc/logs/*.{stdout,stderr}.*"].map((files) =>
        Array.fromAsync(new Bun.Glob(files).scan({ cwd: cluster.state, absolute: true })),
      ),
    );
    const logs = found.flat();
    expect(logs.length).toBeGreaterThan(10);
    for (const file of logs) places.push(await readFile(file, "utf8").catch(() => ""));
    const leaked = places.filter((text) => [...secrets].some((secret) => text.includes(secret)));
    expect(leaked.map((text) => text.slice(0, 80))).toEqual([]);
  },
  minutes(1),
);

test(
  "a shard that is killed while messages flow loses and doubles nothing",
  async () => {
    const killed = { times: 0, stop: false };
    const killer = async () => {
      while (!killed.stop) {
        process.kill(await shardProcess(0), "SIGKILL");
        killed.times += 1;
        process.kill(await shardProcess(1), "SIGKILL");
        await until(async () => (await shards()).filter(({ healthy }) => healthy).length === 2, {
          deadlineMs: 30_000,
          what: "both shards to be back",
          everyMs: 200,
        });
      }
    };
    const accepted = async () => (await simulator<{ messages_accepted: number }>("GET", "/stats")).messages_accepted;
    const before = await accepted();
    const result = demo("--messages", "200", "--every-ms", "25", "--deadline-s", "120");
    // The first kill comes once messages flow: pairing is watched by a person, who scans again.
    await until(async () => (await accepted()) > before, { deadlineMs: 60_000, what: "the first message" });
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
  "an API allocation that stops is out of nginx within a second, and no request fails at 100 a second",
  async () => {
    const before = await running("api");
    expect(before.length).toBeGreaterThanOrEqual(2);
    // A key of its own: requests are limited by key, and this takes the better part of a minute's.
    const { key } = await bodyOf(api.POST("/v1/admin/keys", { body: { name: "100 a second" } }));
    const caller = await adminApi(stack, { key });
    const failures: string[] = [];
    let requests = 0;
    let stop = false;
    const pending = new Set<Promise<void>>();
    const one = async () => {
      requests += 1;
      try {
        await caller.GET("/v1/businesses", { params: { query: { limit: 1 } } });
      } catch (error) {
        failures.push(String(error));
      }
    };
    const timer = setInterval(() => {
      if (stop) return;
      const request = one().finally(() => pending.delete(request));
      pending.add(request);
    }, 10);
    const configuration = async () => {
      const { ID } = await allocation("nginx", 0);
      const files = await Array.fromAsync(
        new Bun.Glob("**/nginx.conf").scan({ cwd: join(cluster.state, "nomad/client/alloc", ID), absolute: true }),
      );
      return (await Promise.all(files.map((file) => readFile(file, "utf8")))).join("\n");
    };
    const consul = createCaller({
      baseUrl: `http://${stack.consul_http_addr}`,
      token: process.env["CONSUL_HTTP_TOKEN"]!,
    });
    type Entry = { Service: { ID: string; Address: string; Port: number } };
    const entries = await consul<Entry[]>("GET", "/v1/health/service/prosaas-api?passing=1");
    const victim = before[0]!;
    const gone = entries.find(({ Service }) => Service.ID.includes(victim.ID))!.Service;
    const upstream = `server ${gone.Address}:${gone.Port}`;
    expect(await configuration()).toContain(upstream);
    await until(() => requests > 200);
    await cluster.run(["nomad", "alloc", "stop", "-detach", victim.ID]);
    const since = performance.now();
    await until(async () => !(await configuration()).includes(upstream), {
      deadlineMs: 10_000,
      what: "nginx to drop it",
    });
    const droppedMs = performance.now() - since;
    await until(async () => (await running("api")).length >= before.length, {
      deadlineMs: 60_000,
      what: "its replacement",
    });
    const enough = requests + 200;
    await until(() => requests > enough);
    stop = true;
    clearInterval(timer);
    await Promise.all(pending);
    expect(failures).toEqual([]);
    expect(droppedMs).toBeLessThan(1000);
  },
  minutes(3),
);

test(
  "a dry run shows the plan and changes nothing, nor does a scale-down on which businesses live",
  () => dryRunsAndRefusalsChangeNothing(cluster),
  minutes(1),
);

test("of two scale commands at once one waits for the other", () => twoAtOnceTakeTurns(cluster), minutes(2));

test(
  "workers of each urgency give way to workers of every queue and come back, and no message is lost, doubled or out of order",
  () => profilesChangeWhileMessagesFlow(cluster),
  minutes(4),
);

test(
  "where urgent jobs wait a worker comes by itself, and goes when none does; two autoscalers are not one too many",
  () => workersComeAndGoByThemselves(cluster),
  minutes(3),
);

test(
  "shards come and go while people write, though the scripts are killed on the way: no request fails, nothing is lost, doubled or out of order",
  () => growsAndShrinksWhilePeopleWrite(cluster),
  minutes(6),
);

test(
  "after every agent and every task was killed, up brings all of it back and sessions open without a new scan",
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
      deadlineMs: 60_000,
      what: `${paired} sessions to open again`,
    });
    expect(await demo()).toMatchObject(clean(20));
  },
  minutes(8),
);
