import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConsul, kvPut } from "../../lib/consul/client.ts";
import type { ConsulClient } from "../../lib/consul/client.ts";
import { holdLock } from "../../lib/consul/lock.ts";
import { followService } from "../../lib/consul/service.ts";
import { createRouter, numShardsKey, ownerKey, shardService } from "../../lib/routing/index.ts";
import { startConsulServer } from "../../lib/testing/consul_server.ts";
import type { ConsulServer } from "../../lib/testing/consul_server.ts";
import { until } from "../../lib/testing/until.ts";
import { callLimitKey, followCallLimit } from "../../services/calls/call_limit.ts";
import { recordAttempt } from "../cli/restore/attempts.ts";
import { readLimit, writeLimit } from "../cli/scale/live_limit.ts";
import { takeScaleLock } from "../cli/scale/lock.ts";

/*
 * consul/policies on a Consul that denies what no policy allows: each part of the system does its work with its own
 * token, and nothing else.
 */
const root = join(import.meta.dir, "../..");
const management = crypto.randomUUID();
const stop = new AbortController();
let folder: string;
let addr: string;
let server: ConsulServer;
let cluster: ConsulClient;

const put = async <T>(path: string, body: unknown): Promise<T> => {
  const response = await fetch(`http://${addr}${path}`, {
    method: "PUT",
    headers: { "x-consul-token": management },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  return (await response.json()) as T;
};

/** A client with a fresh token under one of the policies. */
async function as(name: string, complete = (rules: string) => rules): Promise<ConsulClient> {
  const Rules = complete(await Bun.file(join(root, `consul/policies/${name}.hcl`)).text());
  const policy = { Name: `${name.replace("/", "-")}-${crypto.randomUUID()}`, Rules };
  const { ID } = await put<{ ID: string }>("/v1/acl/policy", policy);
  const { SecretID: token } = await put<{ SecretID: string }>("/v1/acl/token", { Policies: [{ ID }] });
  return Object.assign(createConsul({ addr, token }), { token });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-acl-"));
  server = await startConsulServer({
    acl: { enabled: true, default_policy: "deny", tokens: { initial_management: management, agent: management } },
  });
  ({ addr } = server);
  cluster = createConsul({ addr, token: management });
  await until(() => kvPut(cluster, numShardsKey, "3"), { what: "Consul with its access control" });
  await kvPut(cluster, callLimitKey, "50");
  for (const [name, port, meta] of [
    [shardService, 7001, { shard: "1" }],
    ["prosaas-api", 7002, {}],
    ["prosaas-calls", 7004, {}],
  ] as const) {
    await cluster.api.agent.service.register({ name, address: "127.0.0.1", port, meta });
  }
  for (const [id, name, address] of [
    ["postgres", "postgres", "10.0.0.1"],
    ["redis-old", "redis", "10.0.0.9"],
    ["redis-new", "redis", "10.0.0.2"],
    ["pooler-1", "pgbouncer", "127.0.0.1"],
    ["pooler-2", "pgbouncer", "127.0.0.1"],
    ["pooler-old", "pgbouncer", "127.0.0.1"],
    // Templates list instances by their id: one before that which passes, and one behind it.
    ["a-old", "postgres", "10.0.0.7"],
    ["z-old", "postgres", "10.0.0.8"],
    ["only-old", "silent", "10.0.0.5"],
  ] as const) {
    // A critical check is what a lost node leaves behind.
    const check = { ttl: "1h", status: id.endsWith("-old") ? "critical" : "passing" };
    await cluster.api.agent.service.register({ id, name, address, port: 7003, check } as never);
  }
  // The agent passes registrations on to the catalogue later.
  for (const [name, instances] of [
    [shardService, 1],
    ["prosaas-api", 1],
    ["prosaas-calls", 1],
    ["postgres", 3],
    ["redis", 2],
    ["pgbouncer", 3],
    ["silent", 1],
  ] as const) {
    const listed = async () => (await cluster.api.catalog.service.nodes(name)) as unknown[];
    await until(async () => (await listed()).length === instances, { what: `${name} in the catalogue` });
  }
});

afterAll(async () => {
  stop.abort();
  await server.stop();
  await rm(folder, { recursive: true });
});

/** A template, rendered with a token under one of the policies. */
async function rendered(policy: string, template: string, env: Record<string, string> = {}): Promise<string> {
  const { token } = (await as(policy)) as ConsulClient & { token: string };
  const output = join(folder, crypto.randomUUID());
  const child = Bun.spawn(["consul-template", "-once", `-consul-addr=${addr}`, "-template", `${template}:${output}`], {
    env: { PATH: process.env["PATH"] ?? "", CONSUL_TOKEN: token, ...env },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const [errors, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  expect([code, errors]).toEqual([0, expect.any(String)]);
  return Bun.file(output).text();
}

const follow = (consul: ConsulClient) =>
  createRouter({ consul, numShards: 1, overrides: new Map(), signal: stop.signal });

describe("Consul policies", () => {
  test("let the API change only the call limit", async () => {
    const consul = await as("api");
    const replicas = followService({ consul, name: "prosaas-calls", signal: stop.signal });
    await until(() => replicas.addresses().includes("http://127.0.0.1:7004"), { what: "the calls replica" });
    expect(await kvPut(consul, callLimitKey, "50")).toBeTrue();
    await expect(kvPut(consul, numShardsKey, "1")).rejects.toThrow(/did not write/);
    await expect(kvPut(consul, ownerKey(1), "x")).rejects.toThrow(/did not write/);
  });

  test("let workers read the shards and change nothing", async () => {
    const consul = await as("workers");
    const router = follow(consul);
    await until(() => router.shard(1).url === "http://127.0.0.1:7001" && router.numShards === 3, {
      what: "the directory",
    });
    await expect(kvPut(consul, numShardsKey, "1")).rejects.toThrow(/did not write/);
    await expect(kvPut(consul, callLimitKey, "1")).rejects.toThrow(/did not write/);
  });

  test("let a shard take only its own lock", async () => {
    const consul = await as("shards/shard", (rules) => rules.replaceAll("${shard}", "1"));
    const take = (shard: number) => holdLock({ consul, key: ownerKey(shard), value: "{}", onLost: () => {} });
    const lock = await take(1);
    expect(lock.state).toBe("held");
    expect(lock.token).toBeGreaterThan(0);
    await lock.release();
    for (const shard of [2, 10, 11]) await expect(take(shard)).rejects.toThrow(/403|forbidden/);
    await expect(kvPut(consul, numShardsKey, "1")).rejects.toThrow(/did not write/);
    await expect(kvPut(consul, callLimitKey, "1")).rejects.toThrow(/did not write/);
  });

  test("let the identity of shards take no lock", async () => {
    const consul = await as("wa-shards");
    const taken = holdLock({ consul, key: ownerKey(1), value: "{}", onLost: () => {} });
    await expect(taken).rejects.toThrow(/403|forbidden/);
  });

  test("let calls read its limit and change nothing", async () => {
    const consul = await as("calls");
    const limit = followCallLimit({ consul, first: 1, signal: stop.signal });
    await until(() => limit.current() === 50, { what: "the limit" });
    await expect(kvPut(consul, callLimitKey, "1")).rejects.toThrow(/did not write/);
  });

  test("show the edge its upstreams, not the database", async () => {
    const template = join(folder, "edge.ctmpl");
    await Bun.write(
      template,
      '{{ range service "prosaas-api" }}{{ .Port }}{{ end }},{{ range service "postgres" }}{{ .Port }}{{ end }}',
    );
    expect(await rendered("nginx", template)).toBe("7002,");
  });

  test("let a service resolve what it connects to", async () => {
    const hosts = join(root, "nomad/tasks/hosts.ctmpl");
    const HOSTS = "redis postgres-replica postgres";
    // Neither the replica, which is not registered, nor the primary, which only the pooler needs.
    expect((await rendered("api", hosts, { HOSTS })).trim().split("\n")).toEqual([
      "127.0.0.1 localhost",
      "10.0.0.2 redis.service.consul",
      "127.0.0.1 postgres-replica.service.consul",
      "127.0.0.1 postgres.service.consul",
    ]);
    for (const name of ["workers", "calls", "wa-shards"])
      expect(await rendered(name, hosts, { HOSTS: "redis" })).toContain("10.0.0.2 redis.service.consul");
    for (const name of ["migrate", "indexer", "postgres-replica"])
      expect(await rendered(name, hosts, { HOSTS: "postgres" })).toContain("10.0.0.1 postgres.service.consul");
  });

  const renderPooler = (host: string, { policy = "pgbouncer", poolSize = 40 } = {}) =>
    rendered(policy, join(root, "nomad/tasks/pgbouncer.ini.ctmpl"), {
      POSTGRES_HOST: host,
      POSTGRES_PORT: "5432",
      POOL_SIZE: String(poolSize),
    });

  test.each([
    { poolSize: 40, share: 20, app: 18, shards: 2 },
    { poolSize: 8, share: 4, app: 2, shards: 2 },
    { poolSize: 6, share: 3, app: 2, shards: 1 },
    { poolSize: 2, share: 1, app: 1, shards: 1 },
  ])("let two poolers share $poolSize connections", async ({ poolSize, share, app, shards }) => {
    const own = await renderPooler("db.example.com", { poolSize });
    expect(own).toContain(`max_db_connections = ${share}\n`);
    const users = Object.entries({
      prosaas_app: app,
      prosaas_app_b: app,
      prosaas_shards: shards,
      prosaas_shards_b: shards,
    });
    for (const [login, most] of users) expect(own).toContain(`\n${login} = max_user_connections=${most}\n`);
  });

  test("let the pooler follow the database", async () => {
    const own = await renderPooler("postgres.service.consul");
    expect(own).toContain("host=10.0.0.1 port=5432");
    // No instance passes.
    expect(await renderPooler("silent.service.consul", { policy: "operator" })).toContain("host=10.0.0.5 port=5432");
    expect(await renderPooler("db.example.com")).toContain("host=db.example.com port=5432");
    expect(await renderPooler("absent.service.consul")).toContain("host=127.0.0.1 port=5432");
  });

  test("let the restore watch take only the scale lock", async () => {
    const consul = await as("restorer");
    const lock = await takeScaleLock({ consul, command: "test", deadlineMs: 60_000, onLost: () => {} });
    expect(lock.state).toBe("held");
    await recordAttempt(consul, { shard: 1, from: null, to: { id: "n", name: "n" }, at: "2026-01-01", owner: null });
    await lock.release();
    await expect(kvPut(consul, ownerKey(1), "x")).rejects.toThrow(/did not write/);
    await expect(kvPut(consul, numShardsKey, "1")).rejects.toThrow(/did not write/);
  });

  test("let an operator read the health of the servers", async () => {
    const health = { Servers: [expect.objectContaining({ Leader: true })] };
    const consul = await as("operator");
    // A server that has just started counts as unhealthy (429) for some seconds.
    const { body } = await until(() => consul.blockingGet("/v1/operator/autopilot/health", { index: 0 }), {
      what: "a healthy server",
    });
    expect(body).toMatchObject(health);
  });

  test("let an operator change limits, not register services", async () => {
    const consul = await as("operator");
    const lock = await takeScaleLock({ consul, command: "test", deadlineMs: 60_000, onLost: () => {} });
    const { cas } = await readLimit({ consul }, numShardsKey);
    await writeLimit({ consul }, numShardsKey, 4, cas);
    expect((await readLimit({ consul }, numShardsKey)).value).toBe(4);
    await lock.release();
    expect(Object.keys((await consul.blockingGet("/v1/agent/services", { index: 0 })).body as object)).toContain(
      "postgres",
    );
    await expect(Promise.resolve(consul.api.agent.service.register({ name: "postgres", port: 1 }))).rejects.toThrow();
  });

  test("show nothing without a token", async () => {
    const consul = createConsul({ addr });
    const { body } = await consul.blockingGet(`/v1/health/service/${shardService}`, { index: 0 });
    expect(body).toEqual([]);
    await expect(consul.blockingGet(`/v1/kv/${numShardsKey}`, { index: 0 })).rejects.toThrow(/403/);
  });
});
