import { afterAll, expect, test } from "bun:test";
import { testRedisUrl, uniqueName } from "../testing/servers.ts";
import { createRedis } from "../redis/client.ts";
import { callCapacityScripts, createCallCapacity } from "./capacity.ts";

const redis = createRedis(testRedisUrl(), "command");
afterAll(() => redis.quit());

const prefix = `{${uniqueName("calls")}}`;

/*
 * The property: over 100,000 random steps the scripts and a model of twenty lines agree on every answer, no call is
 * admitted at the limit, and no slot outlives its lease.
 */
test("100,000 random steps match the model", async () => {
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
      // Let time pass. A call that is not renewed has crashed.
      const before = model.count(now);
      await setClock(now + below(leaseMs / 4));
      tally.expired += before - model.count(now);
    } else if (dice < 990) {
      // Set the server's clock back. Drop expired leases first, because the scripts drop them only when they see them.
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
  // Every outcome occurred often, so the property was really tested.
  for (const [name, times] of Object.entries(tally))
    expect({ name, often: times > 100 }).toEqual({ name, often: true });

  await setClock(latest + leaseMs + 1);
  expect(await calls.count()).toBe(0);
}, 600_000);

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

/** The reference model of the scripts. */
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
        // Once recovered, a server stays recovered, even if its clock is set back.
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

/** A seeded generator (Mulberry32, public domain). A failure reports its seed; TEST_SEED reproduces it. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
