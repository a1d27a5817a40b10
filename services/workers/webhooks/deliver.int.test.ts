import { afterEach, beforeEach, expect, test } from "bun:test";
import { definitionOf } from "../../../lib/queues/index.ts";
import { forBusiness, replayDeliveries, rotateWebhookSecret, updateWebhook } from "../../../lib/db/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { createAddressPolicy } from "../../../lib/webhooks/address_policy.ts";
import { generateWebhookSecret } from "../../../lib/webhooks/signature.ts";
import { healthPolicy } from "./health.ts";
import { createTestWorkers } from "../testing/workers.ts";
import type { TestWorkers } from "../testing/workers.ts";

let workers: TestWorkers;
let business: string;
beforeEach(async () => {
  workers = await createTestWorkers();
  business = await workers.business();
});
afterEach(() => workers.close());

const chat = (n: number) => `1555000${String(n).padStart(4, "0")}@s.whatsapp.net`;
const scope = () => forBusiness(workers.database.db, business);
let serial = 0;

/** Messages that customers wrote, taking turns among so many chats. */
async function receive(count: number, chats = 1): Promise<void> {
  for (let i = 0; i < count; i++) {
    const [wa_message_id, from] = [`IN${++serial}`, chat(i % chats)];
    const said = {
      chat: from,
      sender: from,
      from_me: false,
      push_name: "Ada",
      timestamp: Date.now(),
      type: "text",
      text: `${i}`,
    };
    workers.shard.append("inbound", business, { wa_message_id, ...said });
  }
  await workers.producer.wake("inbound", { shard: 1 });
}

async function serve(): Promise<void> {
  await workers.serve("high");
  await workers.serve("receipts");
  await workers.serve("default");
}
const settled = (id: string, status: string) =>
  until(async () => (await workers.deliveries(id)).every((delivery) => delivery.status === status), {
    what: `every delivery ${status}`,
  });
const texts = (told: { data: Record<string, unknown> }[]) => told.map(({ data }) => data["text"]);

/** Makes what is due later due now, as if the time had passed. */
const passTime = async (id: string) => {
  await workers.database
    .owner`update webhook_deliveries set next_attempt_at = date_trunc('milliseconds', now()) - interval '1 second'
    where webhook_id = ${id} and status = 'pending'`;
  await workers.database.owner`
    update webhooks set next_attempt_at = date_trunc('milliseconds', now()) - interval '1 second', failing_since = failing_since - interval '1 hour' where id = ${id}`;
  await workers.producer.wake("deliver", { webhook_id: id });
};

test("what a message goes through is told, each station once, signed, in order", async () => {
  const endpoint = await workers.endpoint(business, { ordered: true });
  await serve();
  const id = await workers.queueMessage(business, chat(1), "hello");
  await workers.producer.wake("send", { business_id: business });
  await until(() => endpoint.told.length === 1, { what: "the first event" });
  const { wa_message_id } = (await workers.rows(business))[0]!;
  const tick = (status: string, after: number) =>
    workers.shard.append("receipts", business, { wa_message_id, chat: chat(1), status, at: Date.now() + after });
  for (const [status, after] of [
    ["read", 2_000],
    ["delivered", 1_000],
    ["delivered", 1_500],
    ["played", 3_000],
  ] as const)
    tick(status, after);
  await workers.producer.wake("receipts", { shard: 1 });
  await until(() => endpoint.told.length === 4, { what: "every event" });
  expect(endpoint.told.map(({ type }) => type)).toEqual([
    "message.sent",
    "message.delivered",
    "message.read",
    "message.played",
  ]);
  expect(endpoint.told[0]!.data).toEqual({ business_id: business, message_id: id, chat: chat(1), status: "sent" });
  expect(endpoint.forged).toBe(0);
  await settled(endpoint.id, "delivered");
  const [delivery] = await workers.deliveries(endpoint.id);
  expect(delivery).toMatchObject({ id: endpoint.told[0]!.id, attempts: 1, last_status: 200, last_error: null });
});

test("messages received, refusals and sessions are told to those who asked, and nothing to the others", async () => {
  const all = await workers.endpoint(business);
  const inboundOnly = await workers.endpoint(business, { events: ["message.received"] });
  const other = await workers.endpoint(await workers.business());
  workers.shard.decide = () => ({ status: "failed", error: { code: "463", message: "The account is restricted." } });
  await serve();
  await receive(1);
  await workers.queueMessage(business, chat(1), "out");
  await workers.producer.wake("send", { business_id: business });
  const since = new Date().toISOString();
  const session = { event: "session.status", paired: false, phone: "15550001111", since, reason: "unlinked" };
  for (const status of ["logged_out", "logged_out"]) workers.shard.append("events", business, { ...session, status });
  await workers.producer.wake("session_events", { shard: 1 });
  await until(() => all.told.length >= 3 && inboundOnly.told.length >= 1, { what: "the events" });
  await settled(all.id, "delivered");
  const events = Object.fromEntries(all.told.map(({ type, data }) => [type, data]));
  expect(all.told).toHaveLength(3);
  expect(events["message.received"]).toMatchObject({ text: "0", sender: chat(0), sender_name: "Ada", chat: chat(0) });
  expect(events["message.failed"]).toMatchObject({
    status: "failed",
    error: { code: "463", message: "The account is restricted." },
  });
  expect(events["session.status"]).toMatchObject({ status: "logged_out", paired: false, reason: "unlinked", since });
  expect(inboundOnly.told.map(({ type }) => type)).toEqual(["message.received"]);
  expect(other.told).toEqual([]);
});

test("nothing is told of what was not written, and nothing written without being told", async () => {
  const endpoint = await workers.endpoint(business);
  await workers.database.owner`alter table webhook_deliveries rename to deliveries_away`;
  await serve();
  await receive(5);
  await until(() => workers.lines.find((line) => line["outcome"] === "failed"), { what: "a run that fails" });
  expect(await workers.rows(business)).toHaveLength(0);
  expect(workers.shard.unacknowledged("inbound")).toBe(5);
  await workers.database.owner`alter table deliveries_away rename to webhook_deliveries`;
  await until(() => endpoint.told.length === 5, { what: "the events" });
  expect(await workers.rows(business)).toHaveLength(5);
});

test("a redelivery from the shard is told once", async () => {
  const endpoint = await workers.endpoint(business);
  const said = {
    wa_message_id: "IN",
    chat: chat(0),
    sender: chat(0),
    from_me: false,
    timestamp: 1_760_000_000_000,
    type: "text",
    text: "once",
  };
  await serve();
  for (let n = 0; n < 3; n++) {
    workers.shard.append("inbound", business, said);
    await workers.producer.wake("inbound", { shard: 1 });
    await until(() => workers.shard.unacknowledged("inbound") === 0, { what: "an empty journal" });
  }
  await settled(endpoint.id, "delivered");
  expect(texts(endpoint.told)).toEqual(["once"]);
});

test("where order is asked for, a chat waits for its failed event, and the other chats do not", async () => {
  const endpoint = await workers.endpoint(business, { ordered: true });
  let broken = true;
  endpoint.answer = async ({ data }) =>
    broken && data["text"] === "4" ? new Response(null, { status: 500 }) : undefined;
  await serve();
  await receive(12, 3);
  await until(() => endpoint.told.length === 9, { what: "the other events" });
  expect(new Set(texts(endpoint.told))).toEqual(new Set(["0", "1", "2", "3", "5", "6", "8", "9", "11"]));
  broken = false;
  await passTime(endpoint.id);
  await settled(endpoint.id, "delivered");
  const last = endpoint.told.filter(({ data }) => data["chat"] === chat(1));
  expect(texts(last)).toEqual(["1", "4", "7", "10"]);
});

test("where it is not, nothing waits for another", async () => {
  const endpoint = await workers.endpoint(business);
  endpoint.answer = async ({ data }) => (data["text"] === "1" ? new Response(null, { status: 500 }) : undefined);
  await serve();
  await receive(4);
  await until(() => endpoint.told.length === 3, { what: "the others" });
  const failed = await until(
    async () =>
      (await workers.deliveries(endpoint.id)).find(({ attempts, status }) => attempts === 1 && status === "pending"),
    {
      what: "the failed attempt",
    },
  );
  expect(failed).toMatchObject({ status: "pending", attempts: 1, last_status: 500, last_error: "It answered 500." });
  expect(new Date(failed.next_attempt_at!).getTime()).toBeGreaterThan(Date.now() + 2_000);
});

test("an endpoint is never asked more than it allows at once", async () => {
  const endpoint = await workers.endpoint(business, { max_concurrency: 3 });
  endpoint.answer = async () => {
    await Bun.sleep(5);
    return undefined;
  };
  await serve();
  await receive(60, 60);
  await until(() => endpoint.told.length === 60, { what: "every event" });
  expect(endpoint.mostAtOnce).toBe(3);
});

test("a delivery that is refused for a day is dead, and can be replayed under its id", async () => {
  const endpoint = await workers.endpoint(business);
  let broken = true;
  endpoint.answer = async () => (broken ? new Response(null, { status: 503 }) : undefined);
  await serve();
  await receive(1);
  for (let attempt = 1; attempt <= 11; attempt++) {
    const [delivery] = await until(
      async () => {
        const rows = await workers.deliveries(endpoint.id);
        return rows[0]?.attempts === attempt ? rows : null;
      },
      { what: `attempt ${attempt}` },
    );
    expect(delivery).toMatchObject({ status: "pending", last_status: 503 });
    await until(() => workers.redis.exists(`prosaas:lease:webhook:${endpoint.id}`).then((held) => held === 0), {
      what: "the run's end",
    });
    await passTime(endpoint.id);
  }
  await settled(endpoint.id, "dead");
  const [dead] = await workers.deliveries(endpoint.id);
  expect(dead).toMatchObject({ attempts: 12, next_attempt_at: null });
  broken = false;
  expect(await replayDeliveries(scope(), endpoint.id, { id: dead!.id })).toBe(1);
  await passTime(endpoint.id);
  await settled(endpoint.id, "delivered");
  expect(endpoint.told.map(({ id }) => id)).toEqual([dead!.id]);
});

test("what was delivered in a range of time is delivered again, and nothing else", async () => {
  const endpoint = await workers.endpoint(business);
  await serve();
  await receive(2);
  await settled(endpoint.id, "delivered");
  await until(() => endpoint.told.length === 2, { what: "the first events" });
  await Bun.sleep(2);
  const from = new Date();
  await receive(3);
  await until(() => endpoint.told.length === 5, { what: "the later events" });
  await settled(endpoint.id, "delivered");
  const range = { from, to: new Date(Date.now() + 1_000), status: "delivered", most: 100 } as const;
  expect(await replayDeliveries(scope(), endpoint.id, range)).toBe(3);
  await workers.producer.wake("deliver", { webhook_id: endpoint.id });
  await until(() => endpoint.told.length === 8, { what: "the replayed events" });
  expect(
    endpoint.told
      .slice(5)
      .map(({ id }) => id)
      .toSorted(),
  ).toEqual(
    endpoint.told
      .slice(2, 5)
      .map(({ id }) => id)
      .toSorted(),
  );
});

test("an endpoint that keeps failing is left alone, then paused with the reason, and the others are told; one success mends it", async () => {
  const failing = await workers.endpoint(business, { events: ["message.received"] });
  const watching = await workers.endpoint(business, { events: ["webhook.paused"] });
  let broken = true;
  failing.answer = async () => (broken ? new Response(null, { status: 500 }) : undefined);
  await serve();
  await receive(40, 40);
  await until(async () => (await workers.webhook(failing.id)).next_attempt_at !== null, {
    what: "the endpoint to be left alone",
  });
  // The few in a row, and those that were under way beside them.
  expect(failing.requests).toBeLessThanOrEqual(healthPolicy.failures + 8);
  const requests = failing.requests;
  await workers.producer.wake("deliver", { webhook_id: failing.id });
  await until(
    () => workers.lines.filter((line) => line["job"] === "deliver" && line["outcome"] === "done").length >= 2,
    {
      what: "the run",
    },
  );
  expect(failing.requests).toBe(requests);

  await passTime(failing.id);
  await until(async () => (await workers.webhook(failing.id)).status === "paused", { what: "the pause" });
  expect(failing.requests).toBe(requests + 1);
  expect(await workers.webhook(failing.id)).toMatchObject({ status_reason: "It answered 500.", status: "paused" });
  await until(() => watching.told.length === 1, { what: "the notice" });
  expect(watching.told[0]!.data).toMatchObject({ webhook_id: failing.id, reason: "It answered 500." });
  expect(await workers.liveEvents(business, "webhook.paused")).toMatchObject([{ webhook_id: failing.id }]);

  broken = false;
  await passTime(failing.id);
  await settled(failing.id, "delivered");
  await until(async () => (await workers.webhook(failing.id)).status === "active", { what: "the endpoint to be well" });
  expect(await workers.webhook(failing.id)).toMatchObject({ status_reason: null, failures: 0, failing_since: null });
  expect(failing.told).toHaveLength(40);
});

test("one that says it is gone is disabled; when its owner enables it, it is told what waits", async () => {
  const endpoint = await workers.endpoint(business);
  endpoint.answer = async () => new Response(null, { status: 410 });
  await serve();
  await receive(1);
  await until(async () => (await workers.webhook(endpoint.id)).status === "disabled", {
    what: "the endpoint to be disabled",
  });
  await receive(1);
  await until(() => workers.shard.unacknowledged("inbound") === 0, { what: "an empty journal" });
  expect(await workers.deliveries(endpoint.id)).toHaveLength(1);
  endpoint.answer = async () => undefined;
  await updateWebhook(scope(), endpoint.id, { status: "active" });
  await passTime(endpoint.id);
  await settled(endpoint.id, "delivered");
});

test("endpoints that hang do not delay a message, though there are more of them than places", async () => {
  const hung = Promise.withResolvers<Response>();
  const share = definitionOf("high").shares!["deliver"]!;
  for (let n = 0; n < share + 8; n++) {
    const id = await workers.business();
    const endpoint = await workers.endpoint(id);
    endpoint.answer = () => hung.promise;
    const said = {
      wa_message_id: `H${n}`,
      chat: chat(0),
      sender: chat(0),
      from_me: false,
      timestamp: Date.now(),
      type: "text",
      text: "x",
    };
    workers.shard.append("inbound", id, said);
  }
  workers.deps.webhooks.timeoutMs = 5_000;
  await workers.serve("high");
  await workers.producer.wake("inbound", { shard: 1 });
  await until(() => workers.lines.some((line) => line["reason"] === "its share of the places is taken"), {
    what: "the share to be taken",
  });
  const start = performance.now();
  await workers.queueMessage(business, chat(1), "code 4711");
  await workers.producer.wake("send", { business_id: business });
  await until(() => workers.shard.deliveries.length === 1, { what: "the message" });
  expect(performance.now() - start).toBeLessThan(1_000);
  hung.resolve(new Response(null, { status: 200 }));
}, 30_000);

test("slow endpoints of one business leave room for another's", async () => {
  const hung = Promise.withResolvers<undefined>();
  const slow = await Promise.all(Array.from({ length: 12 }, () => workers.endpoint(business)));
  for (const endpoint of slow) endpoint.answer = () => hung.promise;
  const other = await workers.business();
  const quick = await workers.endpoint(other);
  workers.deps.webhooks.timeoutMs = 10_000;
  // As many slots as one business may have, and one.
  await workers.serve("high", { definition: { ...definitionOf("high"), concurrency: 10, shares: { deliver: 9 } } });
  await receive(1);
  const asked = () => slow.reduce((sum, { requests }) => sum + requests, 0);
  await until(() => asked() === 8, { what: "the business's share" });
  const said = { chat: chat(0), sender: chat(0), from_me: false, timestamp: Date.now(), type: "text", text: "x" };
  workers.shard.append("inbound", other, { wa_message_id: "OTHER", ...said });
  await workers.producer.wake("inbound", { shard: 1 });
  await until(() => quick.told.length === 1, { what: "the other's event" });
  expect(asked()).toBe(8);
  hung.resolve(undefined);
  await until(() => slow.every(({ told }) => told.length === 1), { what: "every event" });
}, 30_000);

test("an endpoint that takes its time costs no run that fails, however much it has to be told", async () => {
  const endpoint = await workers.endpoint(business, { ordered: true });
  endpoint.answer = async () => {
    await Bun.sleep(25);
    return undefined;
  };
  await receive(80);
  await workers.serve("high", { definition: { ...definitionOf("high"), timeoutMs: 1_000 } });
  await until(() => endpoint.told.length === 80, { what: "every event" });
  expect(texts(endpoint.told)).toEqual(Array.from({ length: 80 }, (_, n) => `${n}`));
  await settled(endpoint.id, "delivered");
  const runs = workers.lines.filter((line) => line["job"] === "deliver");
  expect(runs.filter((line) => line["outcome"] === "failed")).toEqual([]);
  expect(runs.map((line) => line["reason"])).toContain("the turn is over");
});

test("an answer that does not end counts by its status, within the time", async () => {
  const endpoint = await workers.endpoint(business);
  const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) });
  endpoint.answer = async () => new Response(endless);
  await serve();
  await receive(1);
  await settled(endpoint.id, "delivered");
});

test("what hangs is given up after its time, and says so", async () => {
  const endpoint = await workers.endpoint(business);
  endpoint.answer = () => new Promise(() => {});
  await serve();
  await receive(1);
  const [delivery] = await until(
    async () => {
      const rows = await workers.deliveries(endpoint.id);
      return rows[0]?.attempts === 1 ? rows : null;
    },
    { what: "an attempt" },
  );
  expect(delivery).toMatchObject({
    status: "pending",
    last_status: null,
    last_error: "It did not answer within 0.5 s.",
  });
  expect(delivery!.last_duration_ms!).toBeGreaterThanOrEqual(450);
});

test("redirects are not followed", async () => {
  const elsewhere = await workers.endpoint(await workers.business());
  const endpoint = await workers.endpoint(business);
  endpoint.answer = async () => Response.redirect(elsewhere.url, 307);
  await serve();
  await receive(1);
  await until(async () => (await workers.deliveries(endpoint.id))[0]?.attempts === 1, { what: "an attempt" });
  expect((await workers.deliveries(endpoint.id))[0]).toMatchObject({
    last_status: 307,
    last_error: "It answered 307. Redirects are not followed.",
  });
  expect(elsewhere.requests).toBe(0);
});

test("an address of ours is refused without a connection, also when its name pointed elsewhere a moment ago", async () => {
  const answers = ["8.8.8.8", "127.0.0.1"];
  const policy = createAddressPolicy({ lookup: async () => [{ address: answers.shift()!, family: 4 }] });
  const allowed: string[] = [];
  workers.deps.webhooks.policy = {
    ...policy,
    // An address that may be called is not called from a test: the attempt ends as on a network that is down.
    resolve: async (url) => {
      allowed.push(await policy.resolve(url));
      throw Object.assign(new Error("no network"), { code: "ENETUNREACH" });
    },
  };
  const literal = await workers.endpoint(business);
  const named = await workers.endpoint(business, {
    url: `https://rebinding.example:${new URL(literal.url).port}/hook`,
  });
  await serve();
  await receive(1);
  // How an endpoint fares is recorded when a turn ends; within one turn a name is resolved once.
  for (const { id } of [literal, named])
    await until(async () => (await workers.webhook(id)).failures === 1, { what: "the turn's end" });
  expect((await workers.deliveries(literal.id))[0]!.last_error).toContain("private or reserved network");
  expect((await workers.deliveries(named.id))[0]!.last_error).toBe("The connection failed (ENETUNREACH).");
  await passTime(named.id);
  await until(async () => (await workers.deliveries(named.id))[0]?.attempts === 2, { what: "the second attempt" });
  expect((await workers.deliveries(named.id))[0]!.last_error).toContain("private or reserved network");
  expect(allowed).toEqual(["8.8.8.8"]);
  expect(literal.requests).toBe(0);
});

test("during a rotation the old secret still fits, and after it only the new one", async () => {
  const endpoint = await workers.endpoint(business);
  const [old] = endpoint.secrets;
  const fresh = generateWebhookSecret();
  await rotateWebhookSecret(scope(), endpoint.id, workers.deps.webhooks.secrets.seal(endpoint.id, fresh), 3_600);
  await serve();
  await receive(1);
  await until(() => endpoint.told.length === 1, { what: "an event signed for the old secret" });
  endpoint.secrets = [fresh];
  await receive(1);
  await until(() => endpoint.told.length === 2, { what: "an event signed for the new secret" });
  await workers.database.owner`update webhooks set previous_secret_until = now() - interval '1 second'`;
  endpoint.secrets = [old!];
  await receive(1);
  await until(() => endpoint.forged === 1, { what: "an event that the old secret does not fit" });
});

test("after Redis forgot everything, the sweep has told what waits; what nobody takes in its time is dead", async () => {
  const endpoint = await workers.endpoint(business);
  const disabled = await workers.endpoint(business);
  await workers.serve("high");
  await receive(3);
  await until(() => endpoint.told.length === 3, { what: "the events" });
  await settled(endpoint.id, "delivered");
  await settled(disabled.id, "delivered");
  await workers.database.owner`update webhooks set status = 'disabled' where id = ${disabled.id}`;
  await workers.database
    .owner`update webhook_deliveries set status = 'pending', next_attempt_at = date_trunc('milliseconds', now()) where webhook_id = ${endpoint.id}`;
  await workers.database.owner`
    update webhook_deliveries set status = 'pending', next_attempt_at = date_trunc('milliseconds', now()), expires_at = now() where webhook_id = ${disabled.id}`;
  await workers.redis.flushdb();
  await workers.sweep();
  await until(() => endpoint.told.length === 6, { what: "the events again" });
  await workers.producer.wake("expire_deliveries", {});
  await settled(disabled.id, "dead");
});
