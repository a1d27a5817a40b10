import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { holdLock } from "../../lib/consul/lock.ts";
import { kvGet, kvPut } from "../../lib/consul/client.ts";
import { autoscalerLockKey, controlKey, scaleLockKey } from "../../lib/scaling/index.ts";
import { until } from "../../lib/testing/until.ts";
import { createCaller } from "../../scripts/cli/operator/http.ts";
import { createNomad } from "./nomad.ts";
import { setCount } from "./scale.ts";
import { createStage } from "./testing/stage.ts";
import type { Stage } from "./testing/stage.ts";

let stage: Stage;
let started: Bun.Subprocess[] = [];
beforeAll(async () => {
  stage = await createStage();
});
afterAll(() => stage?.close());
beforeEach(async () => {
  await stage.control("{}");
  // A killed autoscaler may leave it behind.
  await stage.consul.api.kv.del(scaleLockKey);
  stage.load(0);
  await stage.register(2);
});
afterEach(async () => {
  await Promise.all(started.map((child) => stage.end(child)));
  started = [];
});

const start = () => {
  const child = stage.start();
  started.push(child);
  return child;
};
const untilCount = (count: number) => until(async () => (await stage.count()) === count, { what: `count ${count}` });
/** The active autoscaler has decided at least twice since. */
const untilDecided = async () => {
  const index = (await stage.metric("prosaas_autoscaler_rounds_total")) ?? 0;
  await until(async () => Number(await stage.metric("prosaas_autoscaler_rounds_total")) > index + 1, {
    what: "two more rounds",
  });
};

describe("an autoscaler", () => {
  test("follows the load within the bounds, and says why", async () => {
    start();
    stage.load(15);
    // 30 streams on replicas of 10.
    await untilCount(3);
    const [event] = await stage.events();
    expect(event).toMatchObject({ from: 2, to: 3, isAutomatic: true });
    expect(event!.reason).toBe("autoscaler: calls to 3: a replica has 15.0 media streams of 10");
    stage.load(100);
    await untilCount(6);
    await untilDecided();
    expect(await stage.count()).toBe(6);
    await stage.addReplica();
    await stage.addReplica();
    await stage.addReplica();
    await stage.addReplica();
    stage.load(0);
    // keep: never one more than that, and one at a time.
    await untilCount(2);
    await untilDecided();
    const down = (await stage.events()).filter(({ from, to }) => to < from);
    expect(down.slice(0, 4).map(({ from, to }) => [from, to])).toEqual([
      [3, 2],
      [4, 3],
      [5, 4],
      [6, 5],
    ]);
  });

  test("is replaced within seconds when it dies", async () => {
    start();
    start();
    const active = await stage.active();
    await untilDecided();
    const began = performance.now();
    await stage.end(active);
    const successor = await until(async () => {
      const holder = await stage.holder();
      return holder?.pid === active.pid ? null : holder;
    });
    expect(performance.now() - began).toBeLessThan(8_000);
    expect(started.map(({ pid }) => pid)).toContain(successor.pid);
    stage.load(50);
    await untilCount(6);
  });

  test("changes nothing after it was suspended and replaced", async () => {
    start();
    start();
    const active = await stage.active();
    await untilDecided();
    active.kill("SIGSTOP");
    // As Consul does when the session has not been renewed for its time.
    const { session } = (await kvGet(stage.consul, autoscalerLockKey))!;
    await stage.consul.api.session.destroy(session!);
    await until(async () => ![undefined, active.pid].includes((await stage.holder())?.pid), { what: "the successor" });
    const { lockIndex } = (await kvGet(stage.consul, autoscalerLockKey))!;
    active.kill("SIGCONT");
    stage.load(50);
    await untilCount(6);
    expect((await stage.holder())!.pid).not.toBe(active.pid);
    const { TaskGroups } = await stage.nomad<{ TaskGroups: { calls: { Events: { Meta: object }[] } } }>(
      "GET",
      "/v1/job/calls/scale",
    );
    expect(TaskGroups.calls.Events[0]!.Meta).toEqual({ autoscaler: lockIndex });
  });

  test("hands over at once when it is stopped", async () => {
    start();
    const active = await stage.active();
    active.kill("SIGTERM");
    expect(await active.exited).toBe(0);
    expect(await stage.holder()).toBeNull();
  });
});

describe("an operator", () => {
  test("keeps the count that a command set", async () => {
    await stage.scale(4);
    stage.load(100);
    start();
    await stage.active();
    await untilDecided();
    expect(await stage.count()).toBe(4);
    expect(await stage.metric("prosaas_autoscaler_held")).toBe(1);
    const [last] = await stage.events();
    await stage.control(JSON.stringify({ resumedAt: last!.index }));
    await untilCount(6);
  });

  test("pauses it, and still sees what it wants", async () => {
    await stage.control('{"paused": true}');
    stage.load(50);
    start();
    await stage.active();
    await until(async () => Number(await stage.metric("prosaas_autoscaler_wanted")) > 2, { what: "a decision" });
    await untilDecided();
    expect(await stage.count()).toBe(2);
    await stage.control("{}");
    await until(async () => (await stage.count()) > 2, { what: "a change" });
  });

  test("scales alone while a command runs", async () => {
    const value = JSON.stringify({ command: "scale:calls", host: "h", pid: 1, since: "now" });
    const lock = await holdLock({ consul: stage.consul, key: scaleLockKey, value, ttlS: 10, onLost: () => {} });
    stage.load(50);
    start();
    await stage.active();
    await until(async () => Number(await stage.metric("prosaas_autoscaler_wanted")) > 2, { what: "a decision" });
    await untilDecided();
    expect(await stage.count()).toBe(2);
    await lock.release();
    await until(async () => (await stage.count()) > 2, { what: "a change" });
  });

  test("is not overruled by an older decision", async () => {
    const { modifyIndex } = await stage.job();
    await stage.scale(4);
    const deps = {
      nomad: createNomad({ addr: stage.nomadAddr, token: stage.nomadToken }),
      consul: stage.autoscalerConsul,
      token: async () => 1,
    };
    const late = { job: "calls", group: "calls", count: 1, reason: "late", modifyIndex };
    expect(await setCount(deps, late)).toBe("the job changed since the decision");
    expect(await setCount({ ...deps, token: async () => undefined }, late)).toContain("does not confirm");
    expect(await stage.count()).toBe(4);
    const now = { ...late, count: 3, modifyIndex: (await stage.job()).modifyIndex };
    expect(await setCount(deps, now)).toBeNull();
    expect(await stage.count()).toBe(3);
  });
});

describe("its rights", () => {
  const TaskGroups = [{ Name: "x", Tasks: [{ Name: "x", Driver: "exec", Config: { command: "true" } }] }];
  const job = { ID: "x", Name: "x", Type: "batch", Datacenters: ["*"], TaskGroups };
  const refused: [string, string, object?][] = [
    ["POST", "/v1/jobs", { Job: job }],
    ["POST", "/v1/job/calls", { Job: { ...job, ID: "calls" } }],
    ["POST", "/v1/job/calls/plan", { Job: { ...job, ID: "calls" } }],
    ["POST", "/v1/job/calls/dispatch", {}],
    ["POST", "/v1/job/calls/revert", { JobID: "calls", JobVersion: 0 }],
    ["POST", "/v1/job/calls/stable", { JobID: "calls", JobVersion: 0, Stable: true }],
    ["POST", "/v1/job/calls/evaluate", { JobID: "calls" }],
    ["POST", "/v1/job/calls/periodic/force"],
    ["DELETE", "/v1/job/calls"],
    ["GET", "/v1/var/nomad/jobs/calls"],
    ["PUT", "/v1/var/nomad/jobs/calls", { Path: "nomad/jobs/calls", Items: { a: "b" } }],
    ["GET", "/v1/nodes"],
    ["PUT", "/v1/volume/host/create", { Volume: { Name: "x", PluginID: "mkdir" } }],
    ["GET", "/v1/acl/tokens"],
    ["POST", "/v1/acl/token", { Type: "management" }],
    ["GET", "/v1/operator/raft/configuration"],
    ["GET", "/v1/operator/snapshot"],
    ["GET", "/v1/agent/members"],
    ["PUT", "/v1/system/gc"],
    ["PUT", "/v1/search", { Prefix: "", Context: "nodes" }],
  ];

  test.each(refused)("in Nomad leave out %s %s", async (method, path, body) => {
    const autoscaler = createCaller({ baseUrl: stage.nomadAddr, token: stage.nomadToken });
    await expect(autoscaler(method, path, body)).rejects.toThrow(/answered 403/);
  });

  test("in Nomad are to read jobs and set counts", async () => {
    const autoscaler = createCaller({ baseUrl: stage.nomadAddr, token: stage.nomadToken });
    for (const path of ["", "/scale", "/allocations"])
      expect(await autoscaler<object>("GET", `/v1/job/calls${path}`)).toBeDefined();
    const scale = (Count: number) =>
      autoscaler("POST", "/v1/job/calls/scale", { Target: { Group: "calls" }, Count, Message: "test" });
    await scale(3);
    await expect(scale(7)).rejects.toThrow(/greater than scaling policy maximum/);
    await expect(scale(0)).rejects.toThrow(/less than scaling policy minimum/);
  });

  test("in Consul are locks and services", async () => {
    const own = stage.autoscalerConsul;
    expect(await kvPut(own, scaleLockKey, "{}")).toBeTrue();
    expect((await own.blockingGet("/v1/health/service/prosaas-calls", { index: 0 })).body).not.toEqual([]);
    for (const key of [controlKey, "prosaas/whatsapp/num_shards", "prosaas/calls/max_concurrent"])
      await expect(kvPut(own, key, "1")).rejects.toThrow(/did not write/);
    await expect(kvGet(own, "prosaas/whatsapp/num_shards")).rejects.toThrow(/403/);
  });
});
