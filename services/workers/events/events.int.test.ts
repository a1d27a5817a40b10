import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { useWebhookStage } from "../testing/webhooks.ts";

const stage = useWebhookStage();
const { chat, receive, serve, settled, texts } = stage;

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
