import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { uuidv7 } from "../core/ids.ts";
import { createRedis } from "../redis/client.ts";
import { createRedisServer } from "../testing/redis_server.ts";
import type { TestRedisServer } from "../testing/redis_server.ts";
import { asRedisUser, redisUsers, writeRedisUsers } from "../testing/redis_users.ts";
import type { RedisUser } from "../testing/redis_users.ts";
import { queueNames } from "./definitions.ts";
import { createProducer } from "./producer.ts";

// Tests what the users of nomad/tasks/redis-users.yaml may not do. The tests of the services run as these users and
// cover what they may do.

let server: TestRedisServer;
let folder: string;
let all: Redis;
const clients = new Map<RedisUser, Redis>();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "redis-users-"));
  server = await createRedisServer({ users: writeRedisUsers(folder) });
  await server.start();
  all = createRedis(server.url, "queue");
  for (const user of redisUsers) clients.set(user, createRedis(asRedisUser(server.url, user), "queue"));
  await all.ping();
});
afterAll(async () => {
  for (const client of [all, ...clients.values()]) client.disconnect();
  await server.stop();
  rmSync(folder, { recursive: true });
});

const call = (user: RedisUser, [command, ...args]: readonly string[]) => clients.get(user)!.call(command!, ...args);
/** Redis's error for a refused command, sent directly or within a script. */
const refusal = /NOPERM|user executing the script can't/;
const services = ["shards", "api", "workers", "calls"] as const;

describe("every service", () => {
  for (const command of [
    ["FLUSHALL"],
    ["FLUSHDB"],
    ["CONFIG", "GET", "*"],
    ["ACL", "LIST"],
    ["KEYS", "*"],
    ["SCAN", "0"],
    ["RANDOMKEY"],
    ["SHUTDOWN", "NOSAVE"],
    ["CLIENT", "LIST"],
    ["CLIENT", "KILL", "TYPE", "normal"],
    ["SCRIPT", "FLUSH"],
    ["FUNCTION", "FLUSH"],
    ["SUBSCRIBE", "x"],
    ["MIGRATE", "127.0.0.1", "1", "prosaas:high:wait", "0", "1"],
    ["SET", "other", "1"],
    ["GET", "other"],
    ["EVAL", "return redis.call('FLUSHALL')", "0"],
    ["EVAL", "return redis.call('GET', 'other')", "0"],
  ]) {
    test(`may not ${command.slice(0, 2).join(" ").toLowerCase()}`, async () => {
      for (const user of services) {
        const refused: unknown = await call(user, command).then(
          () => undefined,
          (error: unknown) => error,
        );
        expect(String(refused), user).toMatch(refusal);
      }
    });
  }
});

describe("a shard", () => {
  test("enqueues its jobs, also while they run", async () => {
    await all.call("ACL", "LOG", "RESET");
    const producer = createProducer(clients.get("shards")!);
    for (const job of ["inbound", "receipts", "session_events"] as const) {
      for (let time = 0; time < 2; time++) await producer.wake(job, { shard: 1 });
      const queue = job === "inbound" ? "high" : job === "receipts" ? "receipts" : "default";
      expect(await all.llen(`prosaas:${queue}:wait`)).toBe(1);
      // Take the job as a worker does. BullMQ then stores the next wake-up, and a later one replaces it.
      const id = await all.rpoplpush(`prosaas:${queue}:wait`, `prosaas:${queue}:active`);
      expect(id).toBeString();
      for (let time = 0; time < 2; time++) await producer.wake(job, { shard: 1 });
    }
    await producer.close();
    // The log also shows refusals that BullMQ catches and works around.
    expect(await all.call("ACL", "LOG")).toEqual([]);
  });

  test("may not take jobs or delete queues", async () => {
    await all.lpush("prosaas:high:wait", "a");
    await all.zadd("prosaas:high:delayed", 1, "b");
    for (const command of [
      ["DEL", "prosaas:high:wait"],
      ["UNLINK", "prosaas:high:wait"],
      ["SET", "prosaas:high:wait", "x"],
      ["RPOP", "prosaas:high:wait"],
      ["LTRIM", "prosaas:high:wait", "1", "0"],
      ["LREM", "prosaas:high:wait", "0", "a"],
      ["RENAME", "prosaas:high:wait", "prosaas:high:x"],
      ["EXPIRE", "prosaas:high:wait", "1"],
      ["PEXPIRE", "prosaas:high:wait", "1"],
      ["ZREM", "prosaas:high:delayed", "b"],
      ["EVAL", "return redis.call('DEL', KEYS[1])", "1", "prosaas:high:wait"],
    ]) {
      await expect(call("shards", command), command.join(" ")).rejects.toThrow(refusal);
    }
    expect(await all.llen("prosaas:high:wait")).toBeGreaterThan(0);
  });

  test("reads no events, calls, leases or other queues", async () => {
    for (const command of [
      ["XRANGE", "prosaas:{events}:all", "-", "+"],
      ["HGETALL", "prosaas:{calls}:call:CA1"],
      ["ZRANGE", "prosaas:{calls}:active", "0", "-1"],
      ["GET", "prosaas:lease:send:1"],
      ["GET", "prosaas:rate:1"],
      ["LRANGE", "prosaas:low:wait", "0", "-1"],
      ["LRANGE", "prosaas:receipts_sync:wait", "0", "-1"],
    ]) {
      await expect(call("shards", command), command.join(" ")).rejects.toThrow(refusal);
    }
  });
});

describe("calls", () => {
  test("enqueues webhook deliveries, also while they run", async () => {
    await all.call("ACL", "LOG", "RESET");
    const producer = createProducer(clients.get("calls")!);
    const webhook_id = uuidv7();
    const wake = () => producer.wake("deliver", { webhook_id });
    for (let time = 0; time < 2; time++) await wake();
    // Take the job as a worker does. BullMQ then stores the next wake-up, and a later one replaces it.
    const [id] = await all.zpopmin("prosaas:high:prioritized");
    expect(id).toBeString();
    await all.lpush("prosaas:high:active", id!);
    for (let time = 0; time < 2; time++) await wake();
    await producer.close();
    expect(await all.call("ACL", "LOG")).toEqual([]);
  });

  test("enqueues recordings, also while they are fetched", async () => {
    await all.call("ACL", "LOG", "RESET");
    const producer = createProducer(clients.get("calls")!);
    for (let time = 0; time < 2; time++) await producer.wake("fetch_recordings", {});
    const id = await all.rpoplpush("prosaas:recordings:wait", "prosaas:recordings:active");
    expect(id).toBeString();
    for (let time = 0; time < 2; time++) await producer.wake("fetch_recordings", {});
    await producer.close();
    expect(await all.call("ACL", "LOG")).toEqual([]);
  });

  test("may not take recordings or webhook deliveries", async () => {
    await all.lpush("prosaas:recordings:wait", "a");
    await all.lpush("prosaas:high:wait", "a");
    await all.zadd("prosaas:high:prioritized", 1, "b");
    for (const command of [
      ["RPOP", "prosaas:recordings:wait"],
      ["DEL", "prosaas:recordings:wait"],
      ["DEL", "prosaas:high:wait"],
      ["RPOP", "prosaas:high:wait"],
      ["LREM", "prosaas:high:wait", "0", "a"],
      ["SET", "prosaas:high:wait", "x"],
      ["ZREM", "prosaas:high:prioritized", "b"],
      ["ZPOPMIN", "prosaas:high:prioritized"],
    ]) {
      await expect(call("calls", command), command.join(" ")).rejects.toThrow(refusal);
    }
  });
});

describe("other services", () => {
  for (const [user, command] of [
    ["workers", ["HGETALL", "prosaas:{calls}:call:CA1"]],
    ["workers", ["GET", "prosaas:rate:1"]],
    ["api", ["HSET", "prosaas:{calls}:call:CA1", "step", "ended"]],
    ["api", ["DEL", "prosaas:{calls}:active"]],
    ["api", ["DEL", "prosaas:lease:send:1"]],
    ["calls", ["LRANGE", "prosaas:high:wait", "0", "-1"]],
    ["calls", ["GET", "prosaas:lease:send:1"]],
  ] as const) {
    test(`${user} may not ${command.slice(0, 2).join(" ").toLowerCase()}`, async () => {
      await expect(call(user, command)).rejects.toThrow(refusal);
    });
  }
});

test("workers and the API reach every queue", async () => {
  for (const name of queueNames) {
    for (const user of ["workers", "api"] as const)
      expect(await call(user, ["HLEN", `prosaas:${name}:meta`]), name).toBeNumber();
  }
});

test("the default user is off without a former password", async () => {
  const file = await Bun.file(join(import.meta.dir, "../../nomad/data/redis.nomad.hcl")).text();
  const on = /with print \(index \. "password"\) \}\}\n\s+user default on #\{\{ sha256Hex \. \}\}.*\n/;
  const off = /\s+\{\{- else \}\}\n\s+user default off\n/;
  expect(file).toMatch(new RegExp(on.source + off.source));
  expect(file).not.toContain("requirepass");
});
