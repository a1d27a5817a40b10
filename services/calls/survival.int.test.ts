import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { getCall } from "../../lib/db/index.ts";
import { createLifecycle } from "../../lib/runtime/lifecycle.ts";
import { createLogger } from "../../lib/runtime/log.ts";
import { freePort } from "../../lib/testing/free_port.ts";
import { createRedisServer } from "../../lib/testing/redis_server.ts";
import { until } from "../../lib/testing/until.ts";
import type { SimulatedCall } from "../simulator/carrier/call.ts";
import { serveAgent } from "./agent/agent.ts";
import { sweepCalls } from "./flow/sweep.ts";
import { someNumber, startStack } from "./testing/stack.ts";
import type { Stack } from "./testing/stack.ts";

/*
 * Outages of Redis, the agent, Postgres and the carrier's connection.
 */

const redisServer = await createRedisServer();
let stack: Stack;
beforeAll(async () => {
  await redisServer.start();
  const env = { CALL_RECOVERY_MS: "8000", CALL_AGENT_PATIENCE_MS: "4000", STREAM_IDLE_MS: "3000" };
  const patience = { redisMs: 2_000, databaseMs: 2_000 };
  stack = await startStack({ replicas: 2, redisUrl: redisServer.url, env, patience });
  await until(async () => (await stack.capacity.announce()) === 0, { what: "the first recovery to end" });
});
afterAll(async () => {
  await stack.close();
  await redisServer.stop();
});

const dial = (to: string, digits = "") => stack.carrier.dialIn({ from: "+15551112222", to, durationS: null, digits });
const marks = (call: SimulatedCall) => call.view().streams.flatMap((stream) => stream.marks);
const heard = (call: SimulatedCall, mark: string) =>
  until(() => marks(call).includes(mark), { what: `the caller to hear ${mark}` });

/** Each answer comes once Redis's two seconds are over: each before the deadline of 6 s. */
const expectRefusal = (call: SimulatedCall) => {
  const asked = call.view().log.filter(({ what }) => what === "asked");
  expect(asked.map(({ detail }) => detail)).toEqual([
    expect.stringContaining("/voice → 503"),
    expect.stringContaining("/fallback → 503"),
  ]);
  expect(asked[1]!.at_ms).toBeLessThan(10_000);
};

describe("without Redis", () => {
  test("live calls continue, new ones get 503", async () => {
    const { number } = await stack.business();
    const call = dial(number);
    await heard(call, "greeting");
    await redisServer.stop();

    const refused = dial(number);
    await refused.done;
    expectRefusal(refused);
    for (const { opsUrl } of stack.replicas) expect((await fetch(`${opsUrl}/ready`)).status).toBe(503);
    const metrics = await Promise.all(
      stack.replicas.map(async ({ opsUrl }) => (await fetch(`${opsUrl}/metrics`)).text()),
    );
    expect(metrics.join("\n")).toMatch(/prosaas_calls_redis_unavailable_total\{.*\} [1-9]/);

    const before = call.view().heard_ms;
    await until(() => call.view().heard_ms > before + 500, { what: "the call to go on" });
    await redisServer.start();
    await until(async () => (await stack.redis.ping()) === "PONG", { what: "Redis" });
    call.hangUp();
    await call.done;
  });

  test("a hanging Redis keeps no caller waiting", async () => {
    const { number } = await stack.business();
    await until(async () => (await stack.capacity.announce()) === 0, { what: "the recovery to end" });
    const call = dial(number);
    await heard(call, "greeting");
    redisServer.hang();
    try {
      const refused = dial(number);
      await refused.done;
      expectRefusal(refused);
      const before = call.view().heard_ms;
      await until(() => call.view().heard_ms > before + 500, { what: "the call to go on" });
    } finally {
      redisServer.goOn();
    }
    call.press("4");
    await heard(call, "keys:4");
    expect(call.view().streams).toHaveLength(1);
    call.hangUp();
    await call.done;
  });

  test("an emptied Redis recovers before it admits", async () => {
    const business = await stack.business();
    await until(async () => (await stack.capacity.announce()) === 0, { what: "the recovery to end" });
    const calls = [dial(business.number, "1"), dial(business.number), dial(business.number)];
    await Promise.all(calls.map((call) => heard(call, "greeting")));
    await heard(calls[0]!, "keys:1");
    await redisServer.stop();
    await redisServer.start();
    await until(async () => (await stack.redis.ping()) === "PONG", { what: "Redis" });
    await until(async () => (await stack.capacity.count()) === 3, { what: "the calls to be counted again" });
    const early = dial(business.number);
    await early.done;
    expect(early.status).toBe("busy");

    // The state is back as well: a stream that breaks now goes on where it stood.
    await until(async () => (await stack.store.read(calls[0]!.sid)).call !== null, { what: "the call's state" });
    calls[0]!.cutStream();
    await heard(calls[0]!, "welcome_back");
    calls[0]!.press("2");
    await heard(calls[0]!, "keys:12");

    await until(async () => (await stack.capacity.announce()) === 0, { what: "the recovery to end" });
    const late = dial(business.number);
    await heard(late, "greeting");
    for (const call of [...calls, late]) call.hangUp();
    for (const call of [...calls, late]) {
      expect(await until(() => getCall(business.scope, call.sid), { what: "the row" })).toMatchObject({
        status: "completed",
      });
    }
    expect(await stack.capacity.count()).toBe(0);
  });
});

describe("without an agent", () => {
  test("a restarted agent resumes in the same stream", async () => {
    const own = createLifecycle("agent");
    const logger = createLogger("agent", "error");
    const port = await freePort();
    const first = serveAgent({ host: "127.0.0.1", port, transferTo: null, life: own, logger });
    const replica = await stack.addReplica({ CALL_AGENT_URL: first.url });
    stack.door.lead([replica.port]);
    const { number } = await stack.business();
    const call = dial(number, "12");
    await heard(call, "keys:12");
    await own.stop();
    const again = createLifecycle("agent");
    serveAgent({ host: "127.0.0.1", port, transferTo: null, life: again, logger });
    await heard(call, "welcome_back");
    call.press("3");
    await heard(call, "keys:123");
    expect(call.view().streams).toHaveLength(1);

    // A permanent outage: the caller hears an apology instead of silence.
    await again.stop();
    await call.done;
    expect(call.view()).toMatchObject({ end: "application_hung_up", streams: [{ close_code: 1000 }] });
    expect(call.view().log.findLast(({ what }) => what === "Say")?.detail).toContain("sorry");
    await stack.stopReplica(replica);
  });
});

describe("without a carrier", () => {
  test("a silent stream closes, its call keeps the slot", async () => {
    const { number } = await stack.business();
    const call = dial(number);
    await heard(call, "greeting");
    const { call: state } = await stack.store.read(call.sid);
    expect(state!.step).toBe("streaming");
    expect(call.fallSilent(60_000)).toBeTrue();
    await heard(call, "welcome_back");
    expect(call.view().streams).toHaveLength(2);
    expect(await stack.capacity.count()).toBe(1);
    call.hangUp();
    await call.done;
  });

  test("a stream of a lost edge is replaced", async () => {
    const { number } = await stack.business();
    const call = dial(number, "1");
    await heard(call, "keys:1");
    stack.door.freeze();
    await heard(call, "welcome_back");
    expect(call.view().log.map(({ what }) => what)).toContain("redirected");
    call.press("2");
    await heard(call, "keys:12");
    expect(await stack.capacity.count()).toBe(1);
    call.hangUp();
    await call.done;
  });
});

describe("without Postgres", () => {
  test("only a replica that reached it before listens", async () => {
    const [port, opsPort] = [await freePort(), await freePort()];
    const answers = (on: number) =>
      fetch(`http://127.0.0.1:${on}/ready`).then(
        ({ ok }) => ok,
        () => null,
      );
    stack.reachDatabase(false);
    const starting = stack.addReplica({ PORT: `${port}`, OPS_PORT: `${opsPort}` });
    await until(async () => (await answers(opsPort)) !== null, { what: "the replica's operational port" });
    expect([await answers(opsPort), await answers(port)]).toEqual([false, null]);
    stack.reachDatabase(true);
    const replica = await starting;
    stack.reachDatabase(false);
    expect(await answers(opsPort)).toBeTrue();
    stack.reachDatabase(true);
    await stack.stopReplica(replica);
  });

  test("known numbers are answered, ends written later", async () => {
    const business = await stack.business();
    // Each replica has a cache of its own.
    for (const { port } of stack.replicas) {
      stack.door.lead([port]);
      const known = dial(business.number);
      await heard(known, "greeting");
      known.hangUp();
      await until(() => getCall(business.scope, known.sid), { what: "the row" });
    }
    stack.door.lead(stack.replicas.map(({ port }) => port));

    stack.reachDatabase(false);
    const call = dial(business.number);
    const stranger = dial(someNumber());
    await heard(call, "greeting");
    await stranger.done;
    expect(stranger.view().log.map(({ detail }) => detail)).toContainEqual(expect.stringContaining("/voice → 503"));
    call.hangUp();
    await call.done;
    expect((await stack.store.read(call.sid)).call).toMatchObject({ step: "ended", status: "completed" });

    stack.reachDatabase(true);
    await until(
      async () => {
        await sweepCalls(stack.replicas[0]!.core, 0);
        return getCall(business.scope, call.sid);
      },
      { what: "the row, late" },
    );
  });
});
