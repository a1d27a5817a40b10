import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Redis } from "ioredis";
import { createRedis } from "../../../lib/redis/client.ts";
import { createRateLimiter } from "../../../lib/redis/rate_limit.ts";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { generateKey } from "../../../lib/db/keys/api_key.ts";
import { insertKey } from "../../../lib/db/index.ts";
import { createBusiness } from "../../../lib/testing/business.ts";
import { testRedisUrl, uniqueName } from "../../../lib/testing/servers.ts";
import { apiLimits } from "./limits.ts";
import { until } from "../../../lib/testing/until.ts";
import { createHarness } from "../testing/harness.ts";

let redis: Redis;
beforeAll(() => {
  redis = createRedis(testRedisUrl(), "command");
});
afterAll(() => redis.disconnect());

const limiter = (limit: number, client = redis) =>
  createRateLimiter({ redis: client, limit, windowMs: 3_600_000, prefix: uniqueName("rate") });

describe("rate limits", () => {
  test("answer 429 with headers, per key", async () => {
    const api = await createHarness({ rateLimiter: limiter(3) });
    const { id, key } = await api.business();
    const ask = () => api.request("GET", `/v1/businesses/${id}`, { key });
    const first = await ask();
    expect(first.headers.get("ratelimit-policy")).toBe("3;w=3600");
    expect([first.headers.get("ratelimit-limit"), first.headers.get("ratelimit-remaining")]).toEqual(["3", "2"]);
    await Promise.all([ask(), ask()]);
    const refused = await ask();
    expect([refused.status, refused.body.type]).toEqual([429, "urn:prosaas:problem:rate_limited"]);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(refused.headers.get("ratelimit-remaining")).toBe("0");
    expect((await api.request("GET", `/v1/businesses/${id}`)).status).toBe(200);
    await api.close();
  });

  test("are applied per replica while Redis is unavailable", async () => {
    const unavailable = createRedis("redis://127.0.0.1:1", "gate");
    const api = await createHarness({ rateLimiter: limiter(3, unavailable) });
    const { id, key } = await api.business();
    for (let n = 0; n < 3; n++) expect((await api.request("GET", `/v1/businesses/${id}`, { key })).status).toBe(200);
    expect((await api.request("GET", `/v1/businesses/${id}`, { key })).status).toBe(429);
    expect((await api.request("GET", "/metrics", { key: "" })).body).toMatch(
      /api_rate_limit_failures_total\{[^}]*\} [1-9]/,
    );
    await api.close();
    unavailable.disconnect();
  });

  test("are shared by the keys of a business", async () => {
    const rateLimiter = createRateLimiter({
      redis,
      limit: 4,
      groupLimit: 6,
      windowMs: 3_600_000,
      prefix: uniqueName("rate"),
    });
    const api = await createHarness({ rateLimiter, keys: { ttlMs: 5_000 } });
    // Inserted by SQL, because the admin key has a rate limit too.
    const [busy, other] = [await createBusiness(api.database.db), await createBusiness(api.database.db)];
    const newKey = async (scope: typeof busy) => {
      const { key, prefix, hash } = generateKey();
      await insertKey(scope, { id: uuidv7(), prefix, hash, scopes: ["business:read"] });
      return key;
    };
    const [first, second, foreign] = [await newKey(busy), await newKey(busy), await newKey(other)];
    const ask = (scope: typeof busy, key: string) => api.request("GET", `/v1/businesses/${scope.businessId}`, { key });
    for (let n = 0; n < 4; n++) expect((await ask(busy, first)).status).toBe(200);
    for (let n = 0; n < 2; n++) expect((await ask(busy, second)).status).toBe(200);
    const refused = await ask(busy, second);
    expect([refused.status, refused.body.detail]).toEqual([429, expect.stringContaining("this business")]);
    expect((await ask(other, foreign)).status).toBe(200);
    await api.close();
  });
});

test("refuses requests beyond the concurrency limit with 503", async () => {
  const hold = Promise.withResolvers<void>();
  let held = 0;
  const api = await createHarness({
    limits: apiLimits({ requests: 2 }),
    queueDepths: async () => {
      held += 1;
      await hold.promise;
      return [];
    },
  });
  const slow = [1, 2].map(() => api.request("GET", "/v1/admin/queues"));
  await until(() => held === 2, { what: "both requests to be at work" });
  const shed = await api.request("GET", "/v1/businesses");
  expect([shed.status, shed.headers.get("retry-after")]).toEqual([503, "1"]);
  expect((await api.request("GET", "/health", { key: "" })).status).toBe(200);
  hold.resolve();
  expect((await Promise.all(slow)).map((answer) => answer.status)).toEqual([200, 200]);
  expect((await api.request("GET", "/v1/businesses")).status).toBe(200);
  await api.close();
});

test("serves cached keys while lookups fill every slot", async () => {
  const limits = { ...apiLimits(), authenticating: { total: 1, share: 1 } };
  const api = await createHarness({ limits, keys: { ttlMs: 60_000 } });
  expect((await api.request("GET", "/v1/businesses")).status).toBe(200);
  const locked = Promise.withResolvers<void>();
  const unlock = Promise.withResolvers<void>();
  const lock = api.database.owner.begin(async (sql) => {
    await sql`lock table api_keys in access exclusive mode`;
    locked.resolve();
    await unlock.promise;
  });
  await locked.promise;
  const slow = api.request("GET", "/v1/businesses", { key: generateKey().key });
  const shed = await api.request("GET", "/v1/businesses", { key: generateKey().key });
  expect([shed.status, shed.headers.get("retry-after")]).toEqual([503, "1"]);
  expect((await api.request("GET", "/v1/businesses")).status).toBe(200);
  unlock.resolve();
  await lock;
  expect((await slow).status).toBe(401);
  await api.close();
});

test("answers 412 to an outdated If-Match", async () => {
  const api = await createHarness();
  const { id } = await api.business();
  const path = `/v1/businesses/${id}`;
  const etag = (await api.request("GET", path)).headers.get("etag")!;
  const patch = (name: string, ifMatch: string) =>
    api.request("PATCH", path, { body: { name }, headers: { "if-match": ifMatch } });
  const answers = await Promise.all(["One", "Two", "Three"].map((name) => patch(name, etag)));
  expect(answers.map((answer) => answer.status).toSorted()).toEqual([200, 412, 412]);
  const winner = answers.find((answer) => answer.status === 200)!;
  const present = await api.request("GET", path);
  expect(present.body).toEqual(winner.body);
  expect(present.headers.get("etag")).toBe(winner.headers.get("etag"));
  expect((await patch("Four", present.headers.get("etag")!)).status).toBe(200);
  expect((await patch("Five", "*")).status).toBe(200);
  await api.close();
});

test("creates once under concurrent retries of one Idempotency-Key", async () => {
  const api = await createHarness();
  const request = { body: { name: "Once" }, headers: { "idempotency-key": "one-business" } };
  const answers = await Promise.all(Array.from({ length: 8 }, () => api.request("POST", "/v1/businesses", request)));
  expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
  expect(answers.filter((answer) => answer.headers.get("idempotency-replayed") === "true")).toHaveLength(7);
  expect((await api.request("POST", "/v1/businesses", { ...request, body: { name: "Other" } })).status).toBe(422);
  await api.close();
});

test("refuses values that cannot be stored with 400", async () => {
  const api = await createHarness();
  const { id, key } = await api.business();
  const under = `/v1/businesses/${id}`;
  const hook = await api.request("POST", `${under}/webhooks`, {
    key,
    body: { url: "https://example.com/x", events: ["message.received"] },
  });
  const late = "9999-12-31T23:59:59-14:00";
  const cursor = Buffer.from(`999999999999999 CA${"0".repeat(32)}`).toString("base64url");
  const asks: [method: string, path: string, body?: object][] = [
    ["POST", `${under}/keys`, { scopes: ["messages:read"], expires_at: late }],
    ["POST", `${under}/messages`, { to: "5511987654321", type: "text", text: "x", expires_at: late }],
    ["POST", `${under}/broadcasts`, { name: "x", text: "x", scheduled_at: late }],
    ["POST", `${under}/broadcasts`, { name: "x", text: "x", scheduled_at: "0000-01-01T00:00:00Z" }],
    [
      "POST",
      `${under}/broadcasts`,
      { name: "x", text: "x", scheduled_local: "9999-12-31T23:59", time_zone: "Pacific/Pago_Pago" },
    ],
    ["GET", `${under}/webhooks/${hook.body.id}/deliveries?event=%00`],
    ["GET", `${under}/calls?cursor=${cursor}`],
  ];
  for (const [method, path, body] of asks) {
    const answer = await api.request(method, path, { key, ...(body === undefined ? {} : { body }) });
    expect([path, answer.status]).toEqual([path, 400]);
  }
  await api.close();
});

test("limits every body by its size", async () => {
  const api = await createHarness();
  const { id, key } = await api.business();
  const body = { description: "x".repeat(4 * 1024 * 1024) };
  for (const path of [`webhooks/${crypto.randomUUID()}`, "webhooks/media", "webhooks/upload"]) {
    expect([path, (await api.request("PATCH", `/v1/businesses/${id}/${path}`, { key, body })).status]).toEqual([
      path,
      413,
    ]);
  }
  await api.close();
});
