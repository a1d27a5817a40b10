import { afterAll, beforeEach, expect, spyOn, test } from "bun:test";
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

test("of 500 who ask three replicas at once 50 are admitted, and 100 more when the limit is raised to 150", async () => {
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

test("a limit lowered below what is in progress drops nobody and admits nobody", async () => {
  const calls = capacity();
  await attempt([calls], 10, 50);
  const lowered = await attempt([calls], 12, 3);
  expect(lowered.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => "renewed"));
  expect(lowered.slice(10)).toEqual(["full", "full"]);
  expect(await calls.count()).toBe(10);
});

test("a business at its own limit is refused, and the others are not", async () => {
  const calls = capacity();
  const admit = (callSid: string, businessId: string) =>
    calls.admit({ callSid, businessId, limits: { all: 50, business: 1 } });
  expect((await admit("CA1", "one")).outcome).toBe("admitted");
  expect((await admit("CA2", "one")).outcome).toBe("business_full");
  expect((await admit("CA2", "two")).outcome).toBe("admitted");
  expect(await calls.count("one")).toBe(1);
});

test("a slot that nobody renews is free after its lease, and one that is renewed is kept", async () => {
  const calls = capacity({ leaseMs: 250 });
  await calls.admit({ callSid: "crashed", businessId: "b", limits });
  await calls.admit({ callSid: "carried", businessId: "b", limits });
  await until(
    async () => {
      expect(await calls.renew([{ callSid: "carried", businessId: "b" }])).toEqual([]);
      return (await calls.count()) === 1;
    },
    { what: "the crashed call's lease to run out" },
  );
  expect(await calls.renew([{ callSid: "crashed", businessId: "b" }])).toEqual(["crashed"]);
  expect(await calls.count("b")).toBe(1);
});

test("a released slot is free at once, and releasing it again frees nobody else's", async () => {
  const calls = capacity();
  const one = { all: 1, business: null };
  await calls.admit({ callSid: "first", businessId: "b", limits: one });
  expect(await calls.release({ callSid: "first", businessId: "b" })).toBeTrue();
  expect((await calls.admit({ callSid: "second", businessId: "b", limits: one })).outcome).toBe("admitted");
  expect(await calls.release({ callSid: "first", businessId: "b" })).toBeFalse();
  expect(await calls.count()).toBe(1);
});

test("a reservation's slot passes to its call even where every slot is taken", async () => {
  const calls = capacity();
  const one = { all: 1, business: 1 };
  await calls.admit({ callSid: "reserved", businessId: "b", limits: one });
  const passed = await calls.admit({ callSid: "CA1", businessId: "b", limits: one, reservation: "reserved" });
  expect(passed.outcome).toBe("renewed");
  expect(await Promise.all([calls.count(), calls.count("b")])).toEqual([1, 1]);
  const late = await calls.admit({ callSid: "CA2", businessId: "b", limits: one, reservation: "reserved" });
  expect(late.outcome).toBe("full");
});

test("a server that forgot its leases admits nobody new until the calls in progress are back", async () => {
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

test("the identity of a server is asked for once a connection", async () => {
  const own = createRedis(testRedisUrl(), "command");
  const calls = createCallCapacity({ redis: own, leaseMs: 1000, recoveryMs: 0, prefix });
  // The client asks for it too, while it connects.
  await own.ping();
  const asked = spyOn(own, "info");
  await calls.announce();
  for (let i = 0; i < 5; i++) await calls.admit({ callSid: `CA${i}`, businessId: "b", limits });
  expect(asked).toHaveBeenCalledTimes(1);
  own.disconnect();
});

/*
 * The property: whatever 100,000 random steps do, the scripts and a model of twenty lines agree on every answer, no
 * admission happens at the limit, and no slot outlives its lease.
 */
test("over 100,000 random steps the count never passes the limit and no slot outlives its lease", async () => {
  const seed = Number(process.env["TEST_SEED"] ?? Date.now() % 1_000_000);
  const random = mulberry32(seed);
  const below = (n: number) => Math.floor(random() * n);

  const clockKey = `${prefix}:clock`;
  const leaseMs = 600_000;
  const recoveryMs = 5_000;
  let runId = 1;
  const calls = createCallCapacity({
    redis,
    leaseMs,
    recoveryMs,
    prefix,
    scripts: callCapacityScripts((lua) =>
      lua.replaceAll('redis.call("TIME")', `redis.call("LRANGE", "${clockKey}", 0, 1)`),
    ),
    identity: async () => String(runId),
  });
  let now = 1_800_000_000_000;
  let latest = now;
  const setClock = (ms: number) => {
    now = ms;
    latest = Math.max(latest, now);
    return redis
      .multi()
      .del(clockKey)
      .rpush(clockKey, Math.floor(now / 1000), (now % 1000) * 1000)
      .exec();
  };
  await setClock(now);
  await calls.announce();

  const model = createModel({ leaseMs, recoveryMs, now });
  const businesses = ["b0", "b1", "b2", "b3"];
  const sids = Array.from({ length: 60 }, (_, i) => ({
    callSid: `CA${i}`,
    businessId: businesses[i % businesses.length]!,
  }));
  const sets = [`${prefix}:active`, ...businesses.map((business) => `${prefix}:active:${business}`)];
  let limit = 20;
  const businessLimit = 8;
  const tally = { admitted: 0, renewed: 0, full: 0, business_full: 0, recovering: 0, released: 0, lost: 0, expired: 0 };

  for (let step = 0; step < 100_000; step++) {
    const slot = sids[below(sids.length)]!;
    const dice = below(1000);
    if (dice < 500) {
      const carried = below(4) === 0;
      const reservation = below(10) === 0 ? sids[below(sids.length)]! : undefined;
      const taken =
        reservation?.businessId === slot.businessId && reservation !== slot ? reservation.callSid : undefined;
      const before = model.count(now);
      const expected = model.admit({
        ...slot,
        limit,
        businessLimit,
        carried,
        reservation: taken,
        now,
        runId: String(runId),
      });
      const limits = { all: limit, business: businessLimit };
      const { outcome } = await calls.admit({ ...slot, limits, carried, reservation: taken });
      tally[outcome] += 1;
      expect({ seed, step, outcome }).toEqual({ seed, step, outcome: expected });
      if (outcome === "admitted" && !model.recovering(now)) expect(before).toBeLessThan(limit);
    } else if (dice < 750) {
      const some = sids.filter(() => below(4) === 0);
      const lost = await calls.renew(some);
      tally.lost += lost.length;
      expect({ seed, step, lost }).toEqual({ seed, step, lost: model.renew(some, now) });
    } else if (dice < 850) {
      const released = await calls.release(slot);
      tally.released += released ? 1 : 0;
      model.release(slot.callSid);
    } else if (dice < 985) {
      // Crashes are calls that nobody renews while time goes on.
      const before = model.count(now);
      await setClock(now + below(leaseMs / 4));
      tally.expired += before - model.count(now);
    } else if (dice < 990) {
      // The server's clock is set back. What ran out is dropped first: the scripts drop it when they come across it.
      await Promise.all(sets.map((set) => redis.zremrangebyscore(set, "-inf", now)));
      model.drop(now);
      await setClock(now - below(5_000));
    } else if (dice < 998) {
      limit = 5 + below(30);
    } else {
      runId += 1;
      await redis.del(...sets);
      model.forget();
    }
    if (step % 20 === 0) {
      const counts = await Promise.all([calls.count(), ...businesses.map((business) => calls.count(business))]);
      expect({ seed, step, counts }).toEqual({
        seed,
        step,
        counts: [model.count(now), ...businesses.map((business) => model.count(now, business))],
      });
    }
  }
  // The walk went everywhere: a property that held only because nothing happened would hold nothing.
  for (const [name, times] of Object.entries(tally))
    expect({ name, often: times > 100 }).toEqual({ name, often: true });

  await setClock(latest + leaseMs + 1);
  expect(await calls.count()).toBe(0);
}, 120_000);

type Attempt = {
  callSid: string;
  businessId: string;
  limit: number;
  businessLimit: number;
  carried: boolean;
  reservation: string | undefined;
  now: number;
  runId: string;
};

/** What the scripts promise, in the plainest terms. */
function createModel({ leaseMs, recoveryMs, now }: { leaseMs: number; recoveryMs: number; now: number }) {
  const leases = new Map<string, { business: string; until: number }>();
  let server = "1";
  let openAt = now + recoveryMs;
  const alive = (callSid: string | undefined, now: number) => (leases.get(callSid ?? "")?.until ?? 0) > now;
  const count = (now: number, business?: string) =>
    [...leases.values()].filter((lease) => lease.until > now && (business === undefined || lease.business === business))
      .length;
  return {
    count,
    recovering: (now: number) => now < openAt,
    forget: () => leases.clear(),
    drop: (now: number) => {
      for (const callSid of leases.keys()) if (!alive(callSid, now)) leases.delete(callSid);
    },
    release: (callSid: string) => void leases.delete(callSid),
    renew: (slots: { callSid: string }[], now: number) => {
      const lost = slots.filter(({ callSid }) => !alive(callSid, now)).map((slot) => slot.callSid);
      for (const { callSid } of slots) if (!lost.includes(callSid)) leases.get(callSid)!.until = now + leaseMs;
      return lost;
    },
    admit: ({ callSid, businessId, limit, businessLimit, carried, reservation, now, runId }: Attempt) => {
      if (server !== runId) openAt = now + recoveryMs;
      server = runId;
      const held = alive(callSid, now) || alive(reservation, now);
      if (reservation !== undefined) leases.delete(reservation);
      if (!held) {
        // Who has recovered stays so, also where the clock is set back.
        if (now >= openAt) openAt = Number.NEGATIVE_INFINITY;
        if (now < openAt && !carried) return "recovering";
        if (now >= openAt && count(now) >= limit) return "full";
        if (now >= openAt && count(now, businessId) >= businessLimit) return "business_full";
      }
      leases.set(callSid, { business: businessId, until: now + leaseMs });
      return held ? "renewed" : "admitted";
    },
  };
}

/** A small seeded generator (Mulberry32, public domain): a failure names its seed, and TEST_SEED repeats it. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
