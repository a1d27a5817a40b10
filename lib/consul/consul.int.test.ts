import { afterAll, expect, test } from "bun:test";
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

test("a watch tells of the first value and of each change once", async () => {
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
  // The same value again changes the index and not the value.
  await kvPut(consul, key, "1");
  await kvPut(consul, key, "2");
  await until(() => seen.at(-1) === "2");
  expect(seen).toEqual([null, "1", "2"]);
});

test("check-and-set writes only over the version that was read", async () => {
  const key = uniqueName("test/cas");
  expect(await kvPut(consul, key, "a", { cas: 0 })).toBeTrue();
  expect(await kvPut(consul, key, "b", { cas: 0 })).toBeFalse();
  const entry = await kvGet(consul, key);
  expect(await kvPut(consul, key, "c", { cas: entry!.modifyIndex })).toBeTrue();
  expect((await kvGet(consul, key))?.value).toBe("c");
});

test("a lock has one owner, and names it to the one who comes second", async () => {
  const key = uniqueName("test/lock");
  const first = await lock(key, "first");
  await expect(lock(key, "second")).rejects.toThrow(LockHeldElsewhere);
  await first.release();
  const second = await lock(key, "second");
  expect(second.token).toBeGreaterThan(first.token);
  await second.release();
});

test("a successor that knows its dead predecessor's session has the lock at once, with a higher token", async () => {
  const key = uniqueName("test/lock");
  const dead = await lock(key, "dead");
  const successor = await lock(key, "alive", { previousSession: dead.session });
  expect(successor.state).toBe("held");
  expect(successor.token).toBeGreaterThan(dead.token);
  await successor.release();
});

test("an owner whose session was taken away by another learns that it lost", async () => {
  const key = uniqueName("test/lock");
  const lost: string[] = [];
  const first = await lock(key, "first", { onLost: (holder) => lost.push(holder) });
  const thief = await lock(key, "thief", { previousSession: first.session });
  await until(() => lost.length === 1, { deadlineMs: 10_000, what: "the loss" });
  expect(lost).toEqual(["thief"]);
  expect(first.state).toBe("lost");
  await thief.release();
});

test("an owner whose session vanished, with nobody else there, takes the lock again", async () => {
  const key = uniqueName("test/lock");
  const tokens: number[] = [];
  const held: HeldLock = await lock(key, "owner", { onHeld: ({ token }) => tokens.push(token) });
  await consul.api.session.destroy(held.session!);
  await until(() => tokens.length === 2, { deadlineMs: 10_000, what: "the second token" });
  expect(held.state).toBe("held");
  expect(tokens[1]).toBeGreaterThan(tokens[0]!);
  await held.release();
});

test("a Consul that does not know the session for a moment takes the lock from nobody", async () => {
  const key = uniqueName("test/lock");
  let forgetful = false;
  let denied = 0;
  // As a server does that is the leader again and has not read its log to the end.
  const proxy = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const { pathname, search } = new URL(request.url);
      if (forgetful && pathname.startsWith("/v1/session/renew/")) {
        denied += 1;
        return new Response("Session id not found", { status: 404 });
      }
      const body = request.method === "PUT" ? await request.text() : undefined;
      return fetch(`${consul.url}${pathname}${search}`, {
        method: request.method,
        ...(body === undefined ? {} : { body }),
      });
    },
  });
  const lost: string[] = [];
  const held = await holdLock({
    consul: createConsul({ addr: `127.0.0.1:${proxy.port}` }),
    key,
    value: "owner",
    ttlS: 10,
    onLost: (holder) => lost.push(holder),
  });
  const { session, token } = held;
  forgetful = true;
  await until(() => denied > 0, { deadlineMs: 10_000, what: "a renewal that is denied" });
  forgetful = false;
  await until(() => held.session !== null && held.state === "held", { what: "the lock" });
  expect({ lost, session: held.session, token: held.token }).toEqual({ lost: [], session, token });
  expect((await kvGet(consul, key))?.session).toBe(session);
  await held.release();
  await proxy.stop(true);
});

/** Consul behind a door at which a test meets the requests; what it answers goes to the client in Consul's place. */
function behindADoor(meet: (request: Request, pass: () => Promise<Response>) => Promise<Response>) {
  const proxy = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: async (request) => {
      const { pathname, search } = new URL(request.url);
      const body = request.method === "PUT" ? await request.text() : undefined;
      return meet(request, () =>
        fetch(`${consul.url}${pathname}${search}`, { method: request.method, ...(body === undefined ? {} : { body }) }),
      );
    },
  });
  return { addr: `127.0.0.1:${proxy.port}`, stop: () => proxy.stop(true) };
}

/** Whoever asks for the lock gets it and does not hear so: the first answer that would tell is lost. */
function deaf() {
  let [armed, asked, lost] = [false, false, 0];
  const door = behindADoor(async (request, pass) => {
    if (armed && asked && request.method === "GET") {
      armed = false;
      lost += 1;
      return new Response("No cluster leader", { status: 500 });
    }
    const answer = await pass();
    asked ||= armed && new URL(request.url).searchParams.has("acquire");
    return answer;
  });
  return { ...door, arm: () => (armed = true), lost: () => lost };
}

test("an owner that did not hear that it took its lock again is not thrown out by itself", async () => {
  const door = deaf();
  const [key, lost] = [uniqueName("test/lock"), [] as string[]];
  const held = await lock(key, "owner", {
    consul: createConsul({ addr: door.addr }),
    onLost: (holder) => lost.push(holder),
  });
  door.arm();
  await consul.api.session.destroy(held.session!);
  await until(() => door.lost() === 1, { deadlineMs: 10_000, what: "the lost answer" });
  await until(() => held.state === "held" || lost.length > 0, { deadlineMs: 10_000, what: "the lock" });
  expect({ lost, session: (await kvGet(consul, key))?.session }).toEqual({ lost: [], session: held.session });
  await held.release();
  await door.stop();
});

test("one that starts while Consul comes back, and did not hear that it has the lock, goes on; its session was noted before", async () => {
  const door = deaf();
  door.arm();
  const [key, asked, lost] = [uniqueName("test/lock"), [] as string[], [] as string[]];
  const held = await lock(key, "owner", {
    consul: createConsul({ addr: door.addr }),
    previousToken: 3,
    onAsking: (session) => asked.push(session),
    onLost: (holder) => lost.push(holder),
  });
  await until(() => held.state === "held" || lost.length > 0, { deadlineMs: 10_000, what: "the lock" });
  expect({ lost, state: held.state, session: held.session }).toEqual({ lost: [], state: "held", session: asked[0]! });
  await held.release();
  await door.stop();
});

test("a renewal that is never answered does not keep an owner from learning that it lost", async () => {
  let [armed, silent] = [false, 0];
  const door = behindADoor(async (request, pass) => {
    if (!armed || !new URL(request.url).pathname.startsWith("/v1/session/renew/")) return pass();
    armed = false;
    silent += 1;
    return new Promise<Response>(() => {});
  });
  const [key, lost] = [uniqueName("test/lock"), [] as string[]];
  const impatient = createConsul({ addr: door.addr, timeoutMs: 500 });
  const held = await lock(key, "first", { consul: impatient, onLost: (holder) => lost.push(holder) });
  armed = true;
  await until(() => silent === 1, { deadlineMs: 10_000, what: "the renewal" });
  const thief = await lock(key, "thief", { previousSession: held.session });
  await until(() => lost.length > 0, { deadlineMs: 10_000, what: "the loss" });
  expect({ lost, state: held.state }).toEqual({ lost: ["thief"], state: "lost" });
  await held.release();
  await thief.release();
  await door.stop();
});

test("one that stood still says so before it has asked; then it goes on, or learns that another took over meanwhile", async () => {
  const [kept, taken] = [uniqueName("test/lock"), uniqueName("test/lock")];
  const [keeper, loser] = [await lock(kept, "keeper"), await lock(taken, "loser")];
  // This thread stands still, as a frozen process does, while another one takes a lock.
  const url = `${consul.url}/v1`;
  const successor = `
    await fetch("${url}/session/destroy/${loser.session}", { method: "PUT" });
    const { ID } = await (await fetch("${url}/session/create", { method: "PUT", body: JSON.stringify({ TTL: "60s", LockDelay: "0s" }) })).json();
    await fetch("${url}/kv/${taken}?acquire=" + ID, { method: "PUT", body: "successor" });
    await Bun.sleep(10_100);`;
  expect(Bun.spawnSync([process.execPath, "-e", successor]).exitCode).toBe(0);
  expect([keeper.state, loser.state]).toEqual(["frozen", "frozen"]);
  await until(() => loser.state === "lost", { what: "the loss" });
  await until(() => keeper.state === "held", { what: "the lock" });
  await keeper.release();
}, 30_000);

test("with Consul away, only one who held the lock before may go on", async () => {
  const away = createConsul({ addr: "127.0.0.1:1" });
  await expect(holdLock({ consul: away, key: "k", value: "v", onLost: () => {} })).rejects.toThrow(/cannot be taken/);
  const unconfirmed = await holdLock({ consul: away, key: "k", value: "v", previousToken: 7, onLost: () => {} });
  expect(unconfirmed.state).toBe("unconfirmed");
  expect(unconfirmed.token).toBe(7);
  await unconfirmed.release();
});

test("a service started by hand is passing at once, comes back when the agent forgets it, and leaves when it stops", async () => {
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
  const [instance] = await healthy();
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
  await consul.api.agent.service.deregister(instance!.Service.ID);
  await until(async () => (await healthy()).length === 1, { what: "the second registration" });
  await life.stop();
  expect(await healthy()).toEqual([]);
  await server.stop(true);
});
