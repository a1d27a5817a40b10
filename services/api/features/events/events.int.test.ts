import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Redis } from "ioredis";
import { createFeed } from "../../../../lib/events/index.ts";
import { appendEvents } from "../../../../lib/events/live_stream.ts";
import type { Feed } from "../../../../lib/events/index.ts";
import { createRedis } from "../../../../lib/redis/client.ts";
import { testRedisUrl } from "../../../../lib/testing/servers.ts";
import { until } from "../../../../lib/testing/until.ts";
import { createHarness } from "../../testing/harness.ts";
import type { Harness } from "../../testing/harness.ts";

let redis: Redis;
let feed: Feed;
let api: Harness;
beforeAll(async () => {
  redis = createRedis(testRedisUrl("api"), "command");
  feed = createFeed({ redis, blocking: createRedis(testRedisUrl("api"), "queue") });
  api = await createHarness({ feed });
});
afterAll(async () => {
  await feed.close();
  await api.close();
  redis.disconnect();
});

type Told = { id?: string; event?: string; data?: string };

/** Reads an event stream like a browser. */
async function watch(path: string, key: string, headers: Record<string, string> = {}) {
  const response = await api.app.request(path, { headers: { authorization: `Bearer ${key}`, ...headers } });
  const reader = response.body!.getReader();
  const told: Told[] = [];
  let text = "";
  const reading = (async () => {
    const decoder = new TextDecoder();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += decoder.decode(part.value, { stream: true });
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const fields = text
          .slice(0, end)
          .split("\n")
          .map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string]);
        text = text.slice(end + 2);
        const item = Object.fromEntries(fields) as Told;
        if (item.event) told.push(item);
      }
    }
  })().catch(() => {});
  return {
    response,
    told,
    names: () => told.map((item) => item.event),
    until: (count: number) => until(() => told.length >= count, { what: `${count} events` }),
    close: async () => {
      await reader.cancel();
      await reading;
    },
  };
}
const publish = (business_id: string, event: string) =>
  appendEvents(redis, [{ business_id, event, at: new Date().toISOString(), data: { of: event } }]);

describe("an event stream", () => {
  test("sends the business's own events and resumes", async () => {
    const [mine, other] = [await api.business(["messages:read"]), await api.business()];
    const path = `/v1/businesses/${mine.id}/events`;
    const first = await watch(path, mine.key);
    expect(first.response.headers.get("content-type")).toStartWith("text/event-stream");
    await publish(mine.id, "message.sent");
    await publish(other.id, "message.received");
    await publish(mine.id, "message.delivered");
    await first.until(2);
    expect(first.names()).toEqual(["message.sent", "message.delivered"]);
    expect(JSON.parse(first.told[0]!.data!)).toEqual({
      business_id: mine.id,
      at: expect.any(String),
      data: { of: "message.sent" },
    });
    await first.close();

    await publish(mine.id, "message.read");
    const again = await watch(path, mine.key, { "last-event-id": first.told[0]!.id! });
    await again.until(2);
    expect(again.names()).toEqual(["message.delivered", "message.read"]);
    await again.close();
  });

  test("of an admin has all businesses and shards", async () => {
    const { id } = await api.business();
    const stream = await watch("/v1/admin/events", api.adminKey);
    await stream.until(1);
    expect(stream.told[0]).toMatchObject({ event: "shards.changed" });
    expect(JSON.parse(stream.told[0]!.data!)).toMatchObject({ num_shards: 2, shards: [{ shard: 1 }, { shard: 2 }] });
    await publish(id, "message.sent");
    await stream.until(2);
    expect(stream.names()).toEqual(["shards.changed", "message.sent"]);
    await stream.close();
  });

  test("sends QR codes only to whatsapp:write", async () => {
    const { id, key } = await api.business();
    const { body: weak } = await api.request("POST", `/v1/businesses/${id}/keys`, {
      body: { scopes: ["messages:read"] },
    });
    await api.request("POST", `/v1/businesses/${id}/whatsapp/connect`, { key, body: { method: "qr" } });
    const [mayPair, mayNot] = [
      await watch(`/v1/businesses/${id}/events`, key),
      await watch(`/v1/businesses/${id}/events`, weak.key),
    ];
    await mayPair.until(1);
    expect(JSON.parse(mayPair.told[0]!.data!)).toMatchObject({ status: "qr", qr: "2@qr-text" });
    expect(mayNot.told).toEqual([]);
    await Promise.all([mayPair.close(), mayNot.close()]);
  });

  test("rejects invalid ids and other businesses", async () => {
    const [mine, other] = [await api.business(), await api.business()];
    const bad = await api.request("GET", `/v1/businesses/${mine.id}/events`, {
      headers: { "last-event-id": "nonsense" },
    });
    expect([bad.status, bad.body.errors[0].field]).toEqual([400, "last-event-id"]);
    expect((await api.request("GET", `/v1/businesses/${other.id}/events`, { key: mine.key })).status).toBe(404);
    expect((await api.request("GET", "/v1/admin/events", { key: mine.key })).status).toBe(404);
  });

  test("ends when the feed closes", async () => {
    const own = createFeed({ redis, blocking: createRedis(testRedisUrl("api"), "queue") });
    const other = await createHarness({ feed: own });
    const { id, key } = await other.business();
    const response = await other.app.request(`/v1/businesses/${id}/events`, {
      headers: { authorization: `Bearer ${key}` },
    });
    const ended = (async () => {
      for await (const _ of response.body!);
      return true;
    })();
    await own.close();
    expect(await ended).toBeTrue();
    await other.close();
  });

  test("is not left open by HEAD", async () => {
    const served = await createHarness({ feed, validate: false });
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => served.app.fetch(request) });
    const [mine, other] = [await served.business(["messages:read"]), await served.business(["messages:read"])];
    const ask = (method: string, { id, key }: { id: string; key: string }) =>
      fetch(`http://127.0.0.1:${server.port}/v1/businesses/${id}/events`, {
        method,
        headers: { authorization: `Bearer ${key}` },
      });
    const open = async () =>
      Number(/api_event_streams\{[^}]*\} (\d+)/.exec((await served.request("GET", "/metrics", { key: "" })).body)![1]);

    const heads = await Promise.all(Array.from({ length: 50 }, () => ask("HEAD", mine)));
    expect(heads.every(({ status }) => status === 200)).toBeTrue();
    await until(async () => (await open()) === 0, { what: "every stream to be over" });

    const watching = await Promise.all(Array.from({ length: 120 }, () => ask("GET", mine)));
    expect(watching.filter(({ status }) => status === 429)).toHaveLength(20);
    const others = await ask("GET", other);
    expect(others.status).toBe(200);
    for (const { body } of [...watching, others]) await body?.cancel();
    await until(async () => (await open()) === 0, { what: "every stream to be over" });
    await server.stop(true);
    await served.close();
  });

  test("is refused with 503 while Redis is unavailable", async () => {
    const [away, blocking] = [
      createRedis("redis://127.0.0.1:1", "command"),
      createRedis("redis://127.0.0.1:1", "queue"),
    ];
    const served = await createHarness({ feed: createFeed({ redis: away, blocking }) });
    const { id, key } = await served.business(["messages:read"]);
    const last = { "last-event-id": "1772366400000-0" };
    for (const headers of [{}, last]) {
      const answer = await served.request("GET", `/v1/businesses/${id}/events`, { key, headers });
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    }
    expect((await served.request("GET", "/v1/admin/events")).status).toBe(503);
    away.disconnect();
    blocking.disconnect();
    await served.close();
  });
});

describe("scopes of a stream", () => {
  const keyWith = async (id: string, scopes: string[]) =>
    (await api.request("POST", `/v1/businesses/${id}/keys`, { body: { scopes } })).body.key as string;

  test("select the events of a key", async () => {
    const { id } = await api.business();
    const path = `/v1/businesses/${id}/events`;
    const calls = await watch(path, await keyWith(id, ["calls:read"]));
    const messages = await watch(path, await keyWith(id, ["messages:read", "broadcasts:read"]));
    const names = [
      "message.received",
      "call.started",
      "session.status",
      "webhook.paused",
      "broadcast.status",
      "call.ended",
    ];
    for (const name of names) await publish(id, name);
    await Promise.all([calls.until(2), messages.until(2)]);
    expect(calls.names()).toEqual(["call.started", "call.ended"]);
    expect(messages.names()).toEqual(["message.received", "broadcast.status"]);
    await Promise.all([calls.close(), messages.close()]);
  });

  test("reject a key that would receive nothing", async () => {
    const { id } = await api.business();
    const answer = await api.request("GET", `/v1/businesses/${id}/events`, {
      key: await keyWith(id, ["keys:read", "messages:write"]),
    });
    expect(answer.status).toBe(403);
    expect(answer.body.detail).toContain("messages:read");
  });
});

describe("slots of streams", () => {
  const openOf = async (served: Harness) =>
    Number(/api_event_streams\{[^}]*\} (\d+)/.exec((await served.request("GET", "/metrics", { key: "" })).body)![1]);

  test("are released when a stalled reader is cut", async () => {
    const streams = { total: 10, share: 10, shareOfKey: 2, stallMs: 5_000 };
    const served = await createHarness({ feed, validate: false, limits: { streams } });
    const ask = () =>
      served.app.request("/v1/admin/events", { headers: { authorization: `Bearer ${served.adminKey}` } });
    const [first, second, third] = [await ask(), await ask(), await ask()];
    expect([first.status, second.status, third.status]).toEqual([200, 200, 429]);
    expect(third.headers.get("retry-after")).toBe("5");
    expect(await openOf(served)).toBe(2);
    await until(async () => (await openOf(served)) === 0, { what: "both to be cut off" });
    await served.close();
  });

  test("are reserved for businesses without one", async () => {
    const streams = { total: 4, share: 2, reserved: 1, shareOfKey: 4, stallMs: 2_000 };
    const served = await createHarness({ feed, validate: false, limits: { streams } });
    const ask = async ({ id, key }: { id: string; key: string }) => {
      const headers = { authorization: `Bearer ${key}` };
      return (await served.app.request(`/v1/businesses/${id}/events`, { headers })).status;
    };
    const [first, second, third] = [await served.business(), await served.business(), await served.business()];
    const statuses = [];
    for (const business of [first, first, second, second, third]) statuses.push(await ask(business));
    expect(statuses).toEqual([200, 200, 200, 429, 200]);
    await until(async () => (await openOf(served)) === 0, { what: "all to be cut off" });
    await served.close();
  });

  test("are held while a reader keeps reading", async () => {
    const streams = { total: 10, share: 10, shareOfKey: 10, stallMs: 2_000 };
    const served = await createHarness({ feed, validate: false, limits: { streams } });
    const { id, key } = await served.business();
    const response = await served.app.request(`/v1/businesses/${id}/events`, {
      headers: { authorization: `Bearer ${key}` },
    });
    const reader = response.body!.getReader();
    // Twice as long as a reader may stall.
    const end = performance.now() + 2 * streams.stallMs;
    while (performance.now() < end) {
      await publish(id, "message.sent");
      expect((await reader.read()).done).toBeFalse();
      await Bun.sleep(50);
    }
    expect(await openOf(served)).toBe(1);
    await reader.cancel();
    await until(async () => (await openOf(served)) === 0, { what: "the slot to be released" });
    await served.close();
  });
});
