import { describe, expect, test } from "bun:test";
import { replayDeliveries, updateWebhook } from "../../../lib/db/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { healthPolicy } from "./health.ts";
import { useWebhookStage } from "../testing/webhooks.ts";

const stage = useWebhookStage();
const { chat, passTime, receive, scope, serve, settled, texts } = stage;

describe("events", () => {
  test("announce each status of a message once, signed", async () => {
    const endpoint = await stage.workers.endpoint(stage.business, { ordered: true });
    await serve();
    const id = await stage.workers.queueMessage(stage.business, chat(1), "hello");
    await stage.workers.producer.wake("send", { business_id: stage.business });
    await until(() => endpoint.received.length === 1, { what: "the first event" });
    const { wa_message_id } = (await stage.workers.rows(stage.business))[0]!;
    const tick = (status: string, after: number) =>
      stage.workers.shard.append("receipts", stage.business, {
        wa_message_id,
        chat: chat(1),
        status,
        at: Date.now() + after,
      });
    for (const [status, after] of [
      ["read", 2_000],
      ["delivered", 1_000],
      ["delivered", 1_500],
      ["played", 3_000],
    ] as const)
      tick(status, after);
    await stage.workers.producer.wake("receipts", { shard: 1 });
    await until(() => endpoint.received.length === 4, { what: "every event" });
    expect(endpoint.received.map(({ type }) => type)).toEqual([
      "message.sent",
      "message.delivered",
      "message.read",
      "message.played",
    ]);
    expect(endpoint.received[0]!.data).toEqual({
      business_id: stage.business,
      message_id: id,
      chat: chat(1),
      status: "sent",
    });
    expect(endpoint.forged).toBe(0);
    await settled(endpoint.id, "delivered");
    const [delivery] = await stage.workers.deliveries(endpoint.id);
    expect(delivery).toMatchObject({ id: endpoint.received[0]!.id, attempts: 1, last_status: 200, last_error: null });
  });

  test("reach the endpoints subscribed to them only", async () => {
    const all = await stage.workers.endpoint(stage.business);
    const inboundOnly = await stage.workers.endpoint(stage.business, { events: ["message.received"] });
    const other = await stage.workers.endpoint(await stage.workers.business());
    stage.workers.shard.decide = () => ({
      status: "failed",
      error: { code: "463", message: "The account is restricted." },
    });
    await serve();
    await receive(1);
    await stage.workers.queueMessage(stage.business, chat(1), "out");
    await stage.workers.producer.wake("send", { business_id: stage.business });
    const since = new Date().toISOString();
    const session = { event: "session.status", paired: false, phone: "15550001111", since, reason: "unlinked" };
    for (const status of ["logged_out", "logged_out"])
      stage.workers.shard.append("events", stage.business, { ...session, status });
    await stage.workers.producer.wake("session_events", { shard: 1 });
    await until(() => all.received.length >= 3 && inboundOnly.received.length >= 1, { what: "the events" });
    await settled(all.id, "delivered");
    const events = Object.fromEntries(all.received.map(({ type, data }) => [type, data]));
    expect(all.received).toHaveLength(3);
    expect(events["message.received"]).toMatchObject({ text: "0", sender: chat(0), sender_name: "Ada", chat: chat(0) });
    expect(events["message.failed"]).toMatchObject({
      status: "failed",
      error: { code: "463", message: "The account is restricted." },
    });
    expect(events["session.status"]).toMatchObject({ status: "logged_out", paired: false, reason: "unlinked", since });
    expect(inboundOnly.received.map(({ type }) => type)).toEqual(["message.received"]);
    expect(other.received).toEqual([]);
  });

  test("report the steps of a link with a passkey", async () => {
    const endpoint = await stage.workers.endpoint(stage.business);
    await serve();
    const now = new Date().toISOString();
    const status = { event: "session.status", status: "passkey", paired: false, since: now };
    const step = { event: "session.passkey", step: "assertion", expires_at: now };
    stage.workers.shard.append("events", stage.business, status);
    stage.workers.shard.append("events", stage.business, step);
    stage.workers.shard.append("events", stage.business, { ...step, reason: "refused" });
    await stage.workers.producer.wake("session_events", { shard: 1 });
    await until(() => endpoint.received.length >= 3, { what: "the events" });
    const steps = endpoint.received.filter(({ type }) => type === "session.passkey").map(({ data }) => data);
    expect(steps).toHaveLength(2);
    expect(steps).toContainEqual(expect.objectContaining({ step: "assertion", expires_at: now, reason: null }));
    expect(steps).toContainEqual(expect.objectContaining({ step: "assertion", expires_at: now, reason: "refused" }));
    const [mirror] = await stage.workers.database
      .owner`select status from whatsapp_sessions where business_id = ${stage.business}`;
    expect(mirror!["status"]).toBe("passkey");
  });

  test("are written with the rows they announce", async () => {
    const endpoint = await stage.workers.endpoint(stage.business);
    await stage.workers.database.owner`alter table webhook_deliveries rename to deliveries_away`;
    await serve();
    await receive(5);
    await until(() => stage.workers.lines.find((line) => line["outcome"] === "failed"), { what: "a run that fails" });
    expect(await stage.workers.rows(stage.business)).toHaveLength(0);
    expect(stage.workers.shard.unacknowledged("inbound")).toBe(5);
    await stage.workers.database.owner`alter table deliveries_away rename to webhook_deliveries`;
    await until(() => endpoint.received.length === 5, { what: "the events" });
    expect(await stage.workers.rows(stage.business)).toHaveLength(5);
  });

  test("a redelivery from the shard announces nothing", async () => {
    const endpoint = await stage.workers.endpoint(stage.business);
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
      stage.workers.shard.append("inbound", stage.business, said);
      await stage.workers.producer.wake("inbound", { shard: 1 });
      await until(() => stage.workers.shard.unacknowledged("inbound") === 0, { what: "an empty journal" });
    }
    await settled(endpoint.id, "delivered");
    expect(texts(endpoint.received)).toEqual(["once"]);
  });
});

describe("order", () => {
  test("an ordered chat waits for its failed event", async () => {
    const endpoint = await stage.workers.endpoint(stage.business, { ordered: true });
    let broken = true;
    endpoint.answer = async ({ data }) =>
      broken && data["text"] === "4" ? new Response(null, { status: 500 }) : undefined;
    await serve();
    await receive(12, 3);
    await until(() => endpoint.received.length === 9, { what: "the other events" });
    expect(new Set(texts(endpoint.received))).toEqual(new Set(["0", "1", "2", "3", "5", "6", "8", "9", "11"]));
    broken = false;
    await passTime(endpoint.id);
    await settled(endpoint.id, "delivered");
    const last = endpoint.received.filter(({ data }) => data["chat"] === chat(1));
    expect(texts(last)).toEqual(["1", "4", "7", "10"]);
  });

  test("an unordered event waits for none", async () => {
    const endpoint = await stage.workers.endpoint(stage.business);
    endpoint.answer = async ({ data }) => (data["text"] === "1" ? new Response(null, { status: 500 }) : undefined);
    await serve();
    await receive(4);
    await until(() => endpoint.received.length === 3, { what: "the others" });
    const failed = await until(
      async () =>
        (await stage.workers.deliveries(endpoint.id)).find(
          ({ attempts, status }) => attempts === 1 && status === "pending",
        ),
      {
        what: "the failed attempt",
      },
    );
    expect(failed).toMatchObject({ status: "pending", attempts: 1, last_status: 500, last_error: "It answered 500." });
    expect(new Date(failed.next_attempt_at!).getTime()).toBeGreaterThan(Date.now() + 2_000);
  });

  test("keeps to the endpoint's concurrency", async () => {
    const endpoint = await stage.workers.endpoint(stage.business, { max_concurrency: 3 });
    endpoint.answer = async () => {
      await Bun.sleep(5);
      return undefined;
    };
    await serve();
    await receive(60, 60);
    await until(() => endpoint.received.length === 60, { what: "every event" });
    expect(endpoint.maxInFlight).toBe(3);
  });
});

describe("retries", () => {
  test("a delivery dies after a day; replay revives", async () => {
    const endpoint = await stage.workers.endpoint(stage.business);
    let broken = true;
    endpoint.answer = async () => (broken ? new Response(null, { status: 503 }) : undefined);
    await serve();
    await receive(1);
    for (let attempt = 1; attempt <= 11; attempt++) {
      const [delivery] = await until(
        async () => {
          const rows = await stage.workers.deliveries(endpoint.id);
          return rows[0]?.attempts === attempt ? rows : null;
        },
        { what: `attempt ${attempt}` },
      );
      expect(delivery).toMatchObject({ status: "pending", last_status: 503 });
      await until(() => stage.workers.redis.exists(`prosaas:lease:webhook:${endpoint.id}`).then((held) => held === 0), {
        what: "the run's end",
      });
      await passTime(endpoint.id);
    }
    await settled(endpoint.id, "dead");
    const [dead] = await stage.workers.deliveries(endpoint.id);
    expect(dead).toMatchObject({ attempts: 12, next_attempt_at: null });
    broken = false;
    expect(await replayDeliveries(scope(), endpoint.id, { id: dead!.id })).toBe(1);
    await passTime(endpoint.id);
    await settled(endpoint.id, "delivered");
    expect(endpoint.received.map(({ id }) => id)).toEqual([dead!.id]);
  });

  test("replays the deliveries of a time range only", async () => {
    const endpoint = await stage.workers.endpoint(stage.business);
    await serve();
    await receive(2);
    await settled(endpoint.id, "delivered");
    await until(() => endpoint.received.length === 2, { what: "the first events" });
    await Bun.sleep(2);
    const from = new Date();
    await receive(3);
    await until(() => endpoint.received.length === 5, { what: "the later events" });
    await settled(endpoint.id, "delivered");
    const range = { from, to: new Date(Date.now() + 1_000), status: "delivered", most: 100 } as const;
    expect(await replayDeliveries(scope(), endpoint.id, range)).toBe(3);
    await stage.workers.producer.wake("deliver", { webhook_id: endpoint.id });
    await until(() => endpoint.received.length === 8, { what: "the replayed events" });
    expect(
      endpoint.received
        .slice(5)
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(
      endpoint.received
        .slice(2, 5)
        .map(({ id }) => id)
        .toSorted(),
    );
  });

  test("the sweep wakes due deliveries and expires old ones", async () => {
    const endpoint = await stage.workers.endpoint(stage.business);
    const disabled = await stage.workers.endpoint(stage.business);
    await stage.workers.serve("high");
    await receive(3);
    await until(() => endpoint.received.length === 3, { what: "the events" });
    await settled(endpoint.id, "delivered");
    await settled(disabled.id, "delivered");
    await stage.workers.database.owner`update webhooks set status = 'disabled' where id = ${disabled.id}`;
    await stage.workers.database
      .owner`update webhook_deliveries set status = 'pending', next_attempt_at = date_trunc('milliseconds', now())
        where webhook_id = ${endpoint.id}`;
    await stage.workers.database.owner`
    update webhook_deliveries set status = 'pending', next_attempt_at = date_trunc('milliseconds',
    now()), expires_at = now() where webhook_id = ${disabled.id}`;
    await stage.workers.redis.flushdb();
    await stage.workers.sweep();
    await until(() => endpoint.received.length === 6, { what: "the events again" });
    await stage.workers.producer.wake("expire_deliveries", {});
    await settled(disabled.id, "dead");
  });
});

describe("health", () => {
  test("backs off, pauses and notifies, recovers on success", async () => {
    const failing = await stage.workers.endpoint(stage.business, { events: ["message.received"] });
    const watching = await stage.workers.endpoint(stage.business, { events: ["webhook.paused"] });
    let broken = true;
    failing.answer = async () => (broken ? new Response(null, { status: 500 }) : undefined);
    await serve();
    await receive(40, 40);
    await until(async () => (await stage.workers.webhook(failing.id)).next_attempt_at !== null, {
      what: "the endpoint to be left alone",
    });
    // The failures in a row, and those in flight beside them.
    expect(failing.requests).toBeLessThanOrEqual(healthPolicy.failures + 8);
    const requests = failing.requests;
    await stage.workers.producer.wake("deliver", { webhook_id: failing.id });
    await until(
      () => stage.workers.lines.filter((line) => line["job"] === "deliver" && line["outcome"] === "done").length >= 2,
      {
        what: "the run",
      },
    );
    expect(failing.requests).toBe(requests);

    await passTime(failing.id);
    await until(async () => (await stage.workers.webhook(failing.id)).status === "paused", { what: "the pause" });
    expect(failing.requests).toBe(requests + 1);
    expect(await stage.workers.webhook(failing.id)).toMatchObject({
      status_reason: "It answered 500.",
      status: "paused",
    });
    await until(() => watching.received.length === 1, { what: "the notice" });
    expect(watching.received[0]!.data).toMatchObject({ webhook_id: failing.id, reason: "It answered 500." });
    expect(await stage.workers.liveEvents(stage.business, "webhook.paused")).toMatchObject([
      { webhook_id: failing.id },
    ]);

    broken = false;
    await passTime(failing.id);
    await settled(failing.id, "delivered");
    await until(async () => (await stage.workers.webhook(failing.id)).status === "active", {
      what: "the endpoint to be well",
    });
    expect(await stage.workers.webhook(failing.id)).toMatchObject({
      status_reason: null,
      failures: 0,
      failing_since: null,
    });
    expect(failing.received).toHaveLength(40);
  });

  test("410 disables; enabling resumes", async () => {
    const endpoint = await stage.workers.endpoint(stage.business);
    endpoint.answer = async () => new Response(null, { status: 410 });
    await serve();
    await receive(1);
    await until(async () => (await stage.workers.webhook(endpoint.id)).status === "disabled", {
      what: "the endpoint to be disabled",
    });
    await receive(1);
    await until(() => stage.workers.shard.unacknowledged("inbound") === 0, { what: "an empty journal" });
    expect(await stage.workers.deliveries(endpoint.id)).toHaveLength(1);
    endpoint.answer = async () => undefined;
    await updateWebhook(scope(), endpoint.id, { status: "active" });
    await passTime(endpoint.id);
    await settled(endpoint.id, "delivered");
  });
});
