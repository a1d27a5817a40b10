import { afterAll, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { testRedisUrl, uniqueName } from "../testing/servers.ts";
import { until } from "../testing/until.ts";
import { callCapacityScripts, createCallCapacity } from "./capacity.ts";
import type { CallCapacity } from "./capacity.ts";
import { createRedis } from "../redis/client.ts";

const redis = createRedis(testRedisUrl(), "command");
afterAll(() => redis.quit());

let prefix: string;
const capacity = (more: Partial<Parameters<typeof createCallCapacity>[0]> = {}) =>
  createCallCapacity({ redis, leaseMs: 30_000, recoveryMs: 0, prefix, ...more });
beforeEach(() => {
  prefix = `{${uniqueName("calls")}}`;
});

const limits = { all: 50, business: null };

async function attempt(calls: CallCapacity[], attempts: number, all: number): Promise<string[]> {
  const admissions = await Promise.all(
    Array.from({ length: attempts }, (_, i) =>
      calls[i % calls.length]!.admit({ callSid: `CA${i}`, businessId: `b${i % 7}`, limits: { all, business: null } }),
    ),
  );
  return admissions.map((admission) => admission.outcome);
}

describe("limits", () => {
  test("admit exactly the limit over three replicas", async () => {
    const connections = [createRedis(testRedisUrl(), "command"), createRedis(testRedisUrl(), "command")];
    const replicas = [redis, ...connections].map((connection) => capacity({ redis: connection }));
    const first = await attempt(replicas, 500, 50);
    expect(first.filter((outcome) => outcome === "admitted")).toHaveLength(50);
    expect(first.filter((outcome) => outcome === "full")).toHaveLength(450);
    const raised = await attempt(replicas, 500, 150);
    expect(raised.filter((outcome) => outcome === "renewed")).toHaveLength(50);
    expect(raised.filter((outcome) => outcome === "admitted")).toHaveLength(100);
    expect(await replicas[0]!.count()).toBe(150);
    connections.forEach((connection) => connection.disconnect());
  });

  test("lowered limits drop no call and admit none", async () => {
    const calls = capacity();
    await attempt([calls], 10, 50);
    const lowered = await attempt([calls], 12, 3);
    expect(lowered.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => "renewed"));
    expect(lowered.slice(10)).toEqual(["full", "full"]);
    expect(await calls.count()).toBe(10);
  });

  test("of a business do not affect other businesses", async () => {
    const calls = capacity();
    const admit = (callSid: string, businessId: string) =>
      calls.admit({ callSid, businessId, limits: { all: 50, business: 1 } });
    expect((await admit("CA1", "one")).outcome).toBe("admitted");
    expect((await admit("CA2", "one")).outcome).toBe("business_full");
    expect((await admit("CA2", "two")).outcome).toBe("admitted");
    expect(await calls.count("one")).toBe(1);
  });
});

describe("slots", () => {
  test("expire with the lease unless renewed", async () => {
    const clock = `${prefix}:clock`;
    const setClock = (seconds: number) => redis.set(clock, seconds);
    const scripts = callCapacityScripts((lua) =>
      lua.replaceAll('redis.call("TIME")', `{ redis.call("GET", "${clock}"), 0 }`),
    );
    const calls = capacity({ leaseMs: 30_000, scripts });
    await setClock(1_000);
    await calls.admit({ callSid: "crashed", businessId: "b", limits });
    await calls.admit({ callSid: "carried", businessId: "b", limits });
    await setClock(1_020);
    expect(await calls.renew([{ callSid: "carried", businessId: "b" }])).toEqual([]);
    expect(await calls.count()).toBe(2);
    await setClock(1_031);
    expect(await calls.count()).toBe(1);
    expect(await calls.renew([{ callSid: "crashed", businessId: "b" }])).toEqual(["crashed"]);
    expect(await calls.count("b")).toBe(1);
  });

  test("are free on release, which is idempotent", async () => {
    const calls = capacity();
    const one = { all: 1, business: null };
    await calls.admit({ callSid: "first", businessId: "b", limits: one });
    expect(await calls.release({ callSid: "first", businessId: "b" })).toBeTrue();
    expect((await calls.admit({ callSid: "second", businessId: "b", limits: one })).outcome).toBe("admitted");
    expect(await calls.release({ callSid: "first", businessId: "b" })).toBeFalse();
    expect(await calls.count()).toBe(1);
  });

  test("pass from a reservation to its call when full", async () => {
    const calls = capacity();
    const one = { all: 1, business: 1 };
    await calls.admit({ callSid: "reserved", businessId: "b", limits: one });
    const passed = await calls.admit({ callSid: "CA1", businessId: "b", limits: one, reservation: "reserved" });
    expect(passed.outcome).toBe("renewed");
    expect(await Promise.all([calls.count(), calls.count("b")])).toEqual([1, 1]);
    const late = await calls.admit({ callSid: "CA2", businessId: "b", limits: one, reservation: "reserved" });
    expect(late.outcome).toBe("full");
  });
});

describe("recovery", () => {
  test("admits only carried calls after leases were lost", async () => {
    let runId = "aaaa";
    const calls = capacity({ recoveryMs: 300, identity: async () => runId });
    await calls.announce();
    await until(async () => (await calls.announce()) === 0, { what: "the first recovery" });
    const two = { all: 2, business: null };
    for (const callSid of ["CA1", "CA2"]) await calls.admit({ callSid, businessId: "b", limits: two });

    runId = "bbbb";
    await redis.del(`${prefix}:active`, `${prefix}:active:b`);
    expect((await calls.admit({ callSid: "new", businessId: "b", limits: two })).outcome).toBe("recovering");
    expect(await calls.renew([{ callSid: "CA1", businessId: "b" }])).toEqual(["CA1"]);
    for (const callSid of ["CA1", "CA2"]) {
      expect((await calls.admit({ callSid, businessId: "b", limits: two, carried: true })).outcome).toBe("admitted");
    }
    await until(async () => (await calls.announce()) === 0, { what: "the recovery to end" });
    expect((await calls.admit({ callSid: "new", businessId: "b", limits: two })).outcome).toBe("full");
  });

  test("reads the server's identity once per connection", async () => {
    const own = createRedis(testRedisUrl(), "command");
    const calls = createCallCapacity({ redis: own, leaseMs: 1000, recoveryMs: 0, prefix });
    // The client itself sends INFO while it connects.
    await own.ping();
    const info = spyOn(own, "info");
    await calls.announce();
    for (let i = 0; i < 5; i++) await calls.admit({ callSid: `CA${i}`, businessId: "b", limits });
    expect(info).toHaveBeenCalledTimes(1);
    own.disconnect();
  });
});
