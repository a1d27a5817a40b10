import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { chat, useJournal } from "../testing/journal.ts";
import { refusal } from "../testing/shard.ts";

const { stage, emptied } = useJournal();

describe("session_events", () => {
  test("are mirrored; an open session expedites the outbox", async () => {
    const session = { event: "session.status", paired: true, phone: "15550001111", since: new Date().toISOString() };
    let open = false;
    stage.workers.shard.refuse = () => (open ? undefined : refusal(503, "The session is not open."));
    await stage.workers.queueMessage(stage.business, chat, "out");
    await stage.workers.serve("high");
    await stage.workers.serve("default");
    await stage.workers.producer.wake("send", { business_id: stage.business });
    // By the sixth try in a row the delay is at least four seconds.
    const postponed = await until(
      () => stage.workers.lines.find((line) => line["outcome"] === "postponed" && Number(line["in_ms"]) >= 4_000),
      { what: "a long wait" },
    );
    const nextTryAt = Date.parse(String(postponed["time"])) + Number(postponed["in_ms"]);
    open = true;
    stage.workers.shard.append("events", stage.business, { ...session, status: "connecting" });
    stage.workers.shard.append("events", stage.business, { ...session, status: "open", name: "The shop" });
    await stage.workers.producer.wake("session_events", { shard: 1 });
    await until(() => stage.workers.shard.deliveries.length === 1, { what: "the message" });
    expect(Date.now()).toBeLessThan(nextTryAt);
    await emptied("events");
    const [mirror] = await stage.workers.database
      .owner`select status, name, shard from whatsapp_sessions where business_id = ${stage.business}`;
    expect({ ...mirror }).toEqual({ status: "open", name: "The shop", shard: 1 });
  });
});

describe("statuses of contacts", () => {
  const status = (status_id: string) => ({
    event: "status.received",
    status_id,
    sender: chat,
    sender_name: "Ada",
    type: "text",
    text: "my holiday",
    posted_at: new Date().toISOString(),
  });

  test("are published for businesses that want them", async () => {
    const endpoint = await stage.workers.endpoint(stage.business, { events: ["status.received"] });
    const drain = async () => {
      await stage.workers.producer.wake("session_events", { shard: 1 });
      await emptied("events");
    };
    await stage.workers.serve("default");
    await stage.workers.serve("high");
    stage.workers.shard.append("events", stage.business, status("S1"));
    await drain();
    await stage.workers.database.owner`update businesses set receive_statuses = true where id = ${stage.business}`;
    stage.workers.shard.append("events", stage.business, status("S2"));
    await drain();
    await until(() => endpoint.received.length > 0, { what: "the event" });
    const { event: _event, ...data } = status("S2");
    expect(endpoint.received.map((event) => event.data)).toEqual([
      { ...data, business_id: stage.business, posted_at: expect.any(String) },
    ]);
    expect(await stage.workers.rows(stage.business)).toHaveLength(0);
  });
});
