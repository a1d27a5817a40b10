import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRedis } from "../../../lib/redis/client.ts";
import { createRedisServer } from "../../../lib/testing/redis_server.ts";
import type { TestRedisServer } from "../../../lib/testing/redis_server.ts";
import { asRedisUser, writeRedisUsers } from "../../../lib/testing/redis_users.ts";
import { givePasswords } from "./live_redis.ts";

let server: TestRedisServer;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "redis-users-"));
  server = await createRedisServer({ users: writeRedisUsers(folder) });
  await server.start();
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

const passwordIn = (url: string) => new URL(url).password;
const operator = () => passwordIn(asRedisUser(server.url, "operator"));
const give = (items: Record<string, string>, as = operator()) => givePasswords(server.url, [as], items);

/** True if the API can log in with a password. */
async function logsIn(password: string): Promise<boolean> {
  const url = new URL(asRedisUser(server.url, "api"));
  url.password = password;
  const redis = createRedis(url.href, "gate");
  const refused = Promise.withResolvers<boolean>();
  redis.on("error", () => refused.resolve(false));
  redis.on("ready", () => refused.resolve(true));
  const result = await refused.promise;
  redis.disconnect();
  return result;
}

test("a running Redis gets and loses passwords", async () => {
  const old = passwordIn(asRedisUser(server.url, "api"));
  const connected = createRedis(asRedisUser(server.url, "api"), "command");
  await connected.get("prosaas:rate:x");
  let ends = 0;
  connected.on("close", () => (ends += 1));

  expect(await give({ api_password: `${old},the-next-password` })).toBeTrue();
  expect([await logsIn(old), await logsIn("the-next-password")]).toEqual([true, true]);
  expect(await give({ api_password: "the-next-password" })).toBeTrue();
  expect([await logsIn(old), await logsIn("the-next-password")]).toEqual([false, true]);
  // The client stays connected, with the rights of its user.
  await connected.get("prosaas:rate:x");
  await expect(connected.get("prosaas:lease:x")).rejects.toThrow("NOPERM");
  expect(ends).toBe(0);
  connected.disconnect();
});

test("the operator's own password is found among its values", async () => {
  const items = { operator_password: "the-next-operator" };
  const url = server.url;
  expect(await givePasswords(url, ["wrong", operator()], items)).toBeTrue();
  expect(await givePasswords(url, ["wrong"], items)).toBeFalse();
  expect(await givePasswords(url, ["the-next-operator"], { operator_password: operator() })).toBeTrue();
});
