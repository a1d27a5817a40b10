import { afterAll, describe, expect, test } from "bun:test";
import { testConsulAddr, uniqueName } from "../testing/servers.ts";
import { until } from "../testing/until.ts";
import { createLogger } from "../runtime/log.ts";
import { createLifecycle } from "../runtime/lifecycle.ts";
import { createConsul, kvGet, kvPut, parseKv } from "./client.ts";
import { holdLock, LockHeldElsewhere } from "./lock.ts";
import type { HeldLock } from "./lock.ts";
import { registerService } from "./register.ts";
import { followService } from "./service.ts";
import { watch } from "./watch.ts";

const consul = createConsul({ addr: testConsulAddr() });
const stop = new AbortController();
afterAll(() => stop.abort());

const lock = (key: string, value: string, more: Partial<Parameters<typeof holdLock>[0]> = {}) =>
  holdLock({ consul, key, value, ttlS: 10, onLost: () => {}, ...more });

/** A proxy in front of Consul. `handle` answers a request itself or forwards it. */
function startConsulProxy(handle: (request: Request, forward: () => Promise<Response>) => Promise<Response>) {
  const proxy = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: async (request) => {
      const { pathname, search } = new URL(request.url);
      const body = request.method === "PUT" ? await request.text() : undefined;
      return handle(request, () =>
        fetch(`${consul.url}${pathname}${search}`, { method: request.method, ...(body === undefined ? {} : { body }) }),
      );
    },
  });
  return { addr: `127.0.0.1:${proxy.port}`, stop: () => proxy.stop(true) };
}

/** A proxy that, once armed, lets the next lock request through and loses the answer that would confirm it. */
function loseAcquisitionAnswer() {
  let [armed, asked, lost] = [false, false, 0];
  const proxy = startConsulProxy(async (request, forward) => {
    if (armed && asked && request.method === "GET") {
      armed = false;
      lost += 1;
      return new Response("No cluster leader", { status: 500 });
    }
    const answer = await forward();
    asked ||= armed && new URL(request.url).searchParams.has("acquire");
    return answer;
  });
  return { ...proxy, arm: () => (armed = true), lost: () => lost };
}

describe("watch", () => {
  test("reports the first value and each change once", async () => {
    const key = uniqueName("test/watch");
    const seen: (string | null)[] = [];
    void watch({
      consul,
      path: `/v1/kv/${key}`,
      parse: (body) => parseKv(body)?.value ?? null,
      onChange: (value) => seen.push(value),
      signal: stop.signal,
    });
    await until(() => seen.length === 1, { what: "the first answer" });
    await kvPut(consul, key, "1");
    await until(() => seen.length === 2);
    // Writing the same value advances the index but is no change.
    await kvPut(consul, key, "1");
    await kvPut(consul, key, "2");
    await until(() => seen.at(-1) === "2");
    expect(seen).toEqual([null, "1", "2"]);
  });
});

describe("kvPut", () => {
  test("check-and-set writes only over the version read", async () => {
    const key = uniqueName("test/cas");
    expect(await kvPut(consul, key, "a", { cas: 0 })).toBeTrue();
    expect(await kvPut(consul, key, "b", { cas: 0 })).toBeFalse();
    const entry = await kvGet(consul, key);
    expect(await kvPut(consul, key, "c", { cas: entry!.modifyIndex })).toBeTrue();
    expect((await kvGet(consul, key))?.value).toBe("c");
  });
});

describe("holdLock", () => {
  test("has one owner at a time", async () => {
    const key = uniqueName("test/lock");
    const first = await lock(key, "first");
    await expect(lock(key, "second")).rejects.toThrow(LockHeldElsewhere);
    await first.release();
    const second = await lock(key, "second");
    expect(second.token).toBeGreaterThan(first.token);
    await second.release();
  });

  test("hands over at once given the predecessor's session", async () => {
    const key = uniqueName("test/lock");
    const dead = await lock(key, "dead");
    const successor = await lock(key, "alive", { previousSession: dead.session });
    expect(successor.state).toBe("held");
    expect(successor.token).toBeGreaterThan(dead.token);
    await successor.release();
  });

  test("notifies an owner that lost the lock", async () => {
    const key = uniqueName("test/lock");
    const lost: string[] = [];
    const first = await lock(key, "first", { onLost: (holder) => lost.push(holder) });
    const thief = await lock(key, "thief", { previousSession: first.session });
    await until(() => lost.length === 1, { what: "the loss" });
    expect(lost).toEqual(["thief"]);
    expect(first.state).toBe("lost");
    await thief.release();
  });

  test("takes the lock again after its session was destroyed", async () => {
    const key = uniqueName("test/lock");
    const tokens: number[] = [];
    const held: HeldLock = await lock(key, "owner", { onHeld: ({ token }) => tokens.push(token) });
    await consul.api.session.destroy(held.session!);
    await until(() => tokens.length === 2, { what: "the second token" });
    expect(held.state).toBe("held");
    expect(tokens[1]).toBeGreaterThan(tokens[0]!);
    await held.release();
  });

  test("survives a restarted Consul that denies its session", async () => {
    const key = uniqueName("test/lock");
    let forgetful = false;
    let [denied, renewed] = [0, 0];
    // A server that is leader again answers like this until it has replayed its log.
    const proxy = startConsulProxy(async (request, forward) => {
      if (!new URL(request.url).pathname.startsWith("/v1/session/renew/")) return forward();
      if (!forgetful) return forward().finally(() => (renewed += 1));
      denied += 1;
      return new Response("Session id not found", { status: 404 });
    });
    const lost: string[] = [];
    const held = await lock(key, "owner", {
      consul: createConsul({ addr: proxy.addr }),
      onLost: (holder) => lost.push(holder),
    });
    const { session, token } = held;
    forgetful = true;
    await until(() => denied > 0, { what: "a renewal that is denied" });
    forgetful = false;
    const before = renewed;
    await until(() => renewed > before && held.state === "held", { what: "the next renewal" });
    expect({ lost, session: held.session, token: held.token }).toEqual({ lost: [], session, token });
    expect((await kvGet(consul, key))?.session).toBe(session);
    await held.release();
    await proxy.stop();
  });

  test("an owner keeps a lock without an answer", async () => {
    const proxy = loseAcquisitionAnswer();
    const [key, lost] = [uniqueName("test/lock"), [] as string[]];
    const held = await lock(key, "owner", {
      consul: createConsul({ addr: proxy.addr }),
      onLost: (holder) => lost.push(holder),
    });
    proxy.arm();
    await consul.api.session.destroy(held.session!);
    await until(() => proxy.lost() === 1, { what: "the lost answer" });
    // Until the loss of the answer is noticed, the lock is held without a session.
    const isHeld = () => held.state === "held" && held.session !== null;
    await until(() => isHeld() || lost.length > 0, { what: "the lock" });
    expect({ lost, session: (await kvGet(consul, key))?.session }).toEqual({ lost: [], session: held.session });
    await held.release();
    await proxy.stop();
  });

  test("a restarted owner keeps a lock without an answer", async () => {
    const proxy = loseAcquisitionAnswer();
    proxy.arm();
    const [key, asked, lost] = [uniqueName("test/lock"), [] as string[], [] as string[]];
    const held = await lock(key, "owner", {
      consul: createConsul({ addr: proxy.addr }),
      previousToken: 3,
      onAsking: (session) => asked.push(session),
      onLost: (holder) => lost.push(holder),
    });
    await until(() => held.state === "held" || lost.length > 0, { what: "the lock" });
    expect({ lost, state: held.state, session: held.session }).toEqual({ lost: [], state: "held", session: asked[0]! });
    await held.release();
    await proxy.stop();
  });

  test("notices the loss after an unanswered renewal", async () => {
    let [armed, silent] = [false, 0];
    const proxy = startConsulProxy(async (request, forward) => {
      if (!armed || !new URL(request.url).pathname.startsWith("/v1/session/renew/")) return forward();
      armed = false;
      silent += 1;
      return new Promise<Response>(() => {});
    });
    const [key, lost] = [uniqueName("test/lock"), [] as string[]];
    const impatient = createConsul({ addr: proxy.addr, timeoutMs: 3_000 });
    const held = await lock(key, "first", { consul: impatient, onLost: (holder) => lost.push(holder) });
    armed = true;
    await until(() => silent === 1, { what: "the renewal" });
    const thief = await lock(key, "thief", { previousSession: held.session });
    await until(() => lost.length > 0, { what: "the loss" });
    expect({ lost, state: held.state }).toEqual({ lost: ["thief"], state: "lost" });
    await held.release();
    await thief.release();
    await proxy.stop();
  });

  test("a suspended owner is frozen until Consul confirms it", async () => {
    const [kept, taken] = [uniqueName("test/lock"), uniqueName("test/lock")];
    const [keeper, loser] = [await lock(kept, "keeper"), await lock(taken, "loser")];
    // Block this thread, as a suspended process is blocked, while another process takes one of the locks.
    const url = `${consul.url}/v1`;
    const successor = `
    await fetch("${url}/session/destroy/${loser.session}", { method: "PUT" });
    const body = JSON.stringify({ TTL: "60s", LockDelay: "0s" });
    const { ID } = await (await fetch("${url}/session/create", { method: "PUT", body })).json();
    await fetch("${url}/kv/${taken}?acquire=" + ID, { method: "PUT", body: "successor" });
    await Bun.sleep(10_100);`;
    expect(Bun.spawnSync([process.execPath, "-e", successor]).exitCode).toBe(0);
    expect([keeper.state, loser.state]).toEqual(["frozen", "frozen"]);
    await until(() => loser.state === "lost", { what: "the loss" });
    await until(() => keeper.state === "held", { what: "the lock" });
    await keeper.release();
  });

  test("during an outage only a former owner starts", async () => {
    const unavailable = createConsul({ addr: "127.0.0.1:1" });
    await expect(holdLock({ consul: unavailable, key: "k", value: "v", onLost: () => {} })).rejects.toThrow(
      /cannot be taken/,
    );
    const unconfirmed = await holdLock({
      consul: unavailable,
      key: "k",
      value: "v",
      previousToken: 7,
      onLost: () => {},
    });
    expect(unconfirmed.state).toBe("unconfirmed");
    expect(unconfirmed.token).toBe(7);
    await unconfirmed.release();
  });
});

describe("registerService", () => {
  test("registers, registers again when forgotten, deregisters", async () => {
    const name = uniqueName("test-service");
    const life = createLifecycle(name);
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("ok") });
    const logger = createLogger("test", "error");
    await registerService({
      consul,
      life,
      logger,
      name,
      address: "127.0.0.1",
      port: 9,
      opsPort: server.port!,
      meta: { shard: "3" },
      recheckMs: 50,
    });
    type Healthy = { Service: { ID: string; Meta: Record<string, string> } };
    const healthy = async () =>
      (await consul.blockingGet(`/v1/health/service/${name}?passing=1`, { index: 0 })).body as Healthy[];
    // The agent passes a registration on to the catalogue later.
    const [instance] = await until(async () => ((found) => (found.length > 0 ? found : undefined))(await healthy()), {
      what: "the registration",
    });
    expect(instance?.Service.Meta).toEqual({ shard: "3", ops_port: String(server.port) });
    const followed = {
      own: followService({ consul, name, signal: life.stopping }),
      ops: followService({ consul, name, portMeta: "ops_port", signal: life.stopping }),
    };
    await Promise.all([followed.own.ready, followed.ops.ready]);
    expect([followed.own.addresses(), followed.ops.addresses()]).toEqual([
      ["http://127.0.0.1:9"],
      [`http://127.0.0.1:${server.port}`],
    ]);
    const id = instance!.Service.ID;
    await consul.api.agent.service.deregister(id);
    const isKnown = async () => id in ((await consul.api.agent.service.list()) as object);
    await until(isKnown, { what: "the second registration" });
    await until(async () => (await healthy()).length === 1, { what: "the second registration in the catalogue" });
    await life.stop();
    expect(await isKnown()).toBeFalse();
    await until(async () => (await healthy()).length === 0, { what: "the end of the registration" });
    await server.stop(true);
  });
});
