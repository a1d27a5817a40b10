import { describe, expect, test } from "bun:test";
import { AppError } from "../../../lib/core/errors.ts";
import { uuidv7, uuidv7Floor } from "../../../lib/core/ids.ts";
import { randomToken } from "../../../lib/core/secret.ts";
import { forBusiness, submitMessage } from "../../../lib/db/index.ts";
import { queueOn } from "../../../lib/queues/connection.ts";
import { until } from "../../../lib/testing/until.ts";
import { chat, received, useJournal } from "../testing/journal.ts";
import { firstRun } from "../testing/run.ts";
import { refusal } from "../testing/shard.ts";

const { stage, emptied, texts } = useJournal();

describe("drainJournal", () => {
  test("acknowledges entries after writing them in bulk", async () => {
    for (let n = 0; n < 1_200; n++) stage.workers.shard.append("inbound", stage.business, received(n));
    await stage.workers.serve("high");
    await stage.workers.producer.wake("inbound", { shard: 1 });
    await emptied("inbound");
    const rows = await stage.workers.rows(stage.business);
    expect(rows.map((row) => row.text)).toEqual(Array.from({ length: 1_200 }, (_, n) => `hello ${n}`));
    expect(rows[0]).toMatchObject({ direction: "inbound", status: "delivered", chat, sender: chat, push_name: "Ada" });
  });

  test("ignores a redelivery", async () => {
    stage.workers.shard.append("inbound", stage.business, received(1));
    stage.workers.shard.append("inbound", stage.business, received(1));
    await stage.workers.serve("high");
    await stage.workers.producer.wake("inbound", { shard: 1 });
    await emptied("inbound");
    stage.workers.shard.append("inbound", stage.business, received(1));
    await stage.workers.producer.wake("inbound", { shard: 1 });
    await emptied("inbound");
    expect(await texts()).toEqual(["hello 1"]);
  });

  test("quarantines an entry once that could not be acknowledged", async () => {
    const { deps, handlers, shard, database } = stage.workers;
    shard.append("inbound", stage.business, { nonsense: true });
    const { shards } = deps;
    deps.shards = { ...shards, ackJournal: () => Promise.reject(new AppError("unavailable", "killed")) };
    const run = () => handlers.inbound(firstRun<"inbound">({ shard: 1 }));
    expect((await run()).again).toMatchObject({ reason: "killed" });
    const first = Date.now();
    await until(() => Date.now() > first, { what: "another millisecond", everyMs: 1 });
    deps.shards = shards;
    expect(await run()).toEqual({ counts: { written: 0, quarantined: 1 } });
    expect(await database.owner`select seq from journal_quarantine`).toHaveLength(1);
  });

  test("quarantines a faulty entry and continues", async () => {
    stage.workers.shard.append("inbound", stage.business, received(1));
    stage.workers.shard.append("inbound", stage.business, { nonsense: "content that no log may hold" });
    stage.workers.shard.append("inbound", "not a business", received(2));
    stage.workers.shard.append("inbound", stage.business, received(3, { timestamp: -1 }));
    // Understood, but too long for an index of Postgres.
    await stage.workers.database.owner`create index on messages (business_id, wa_message_id)`;
    stage.workers.shard.append("inbound", stage.business, received(4, { wa_message_id: randomToken(20_000) }));
    stage.workers.shard.append("inbound", stage.business, received(5));
    await stage.workers.serve("high");
    await stage.workers.producer.wake("inbound", { shard: 1 });
    await emptied("inbound");
    expect(await texts()).toEqual(["hello 1", "hello 5"]);
    const quarantined = stage.workers.log.filter((line) => line["msg"] === "journal entry quarantined");
    expect(quarantined.map((line) => line["seq"])).toEqual([2, 3, 4, 5]);
    expect(quarantined.map((line) => line["business_id"])).toEqual([
      stage.business,
      null,
      stage.business,
      stage.business,
    ]);
    expect(JSON.stringify([stage.workers.log, stage.workers.lines])).not.toContain("no log may hold");
    const kept = await stage.workers.database.owner<{ seq: number; business_id: string | null; entry: string }[]>`
      select seq::integer, business_id, entry from journal_quarantine order by seq`;
    expect(kept.map(({ seq }) => seq)).toEqual([2, 3, 4, 5]);
    expect(JSON.parse(kept[0]!.entry)).toMatchObject({
      seq: 2,
      business_id: stage.business,
      data: { nonsense: "content that no log may hold" },
    });
    expect(JSON.parse(kept[1]!.entry)).toMatchObject({ business_id: "not a business" });
    expect(await stage.workers.metrics.registry.metrics()).toContain(
      'prosaas_journal_quarantined_total{stream="inbound",service="test"} 4',
    );
  });

  test("keeps a message with an absurd time", async () => {
    const endpoint = await stage.workers.endpoint(stage.business, { events: ["message.received"] });
    stage.workers.shard.append("inbound", stage.business, received(1, { timestamp: Number.MAX_SAFE_INTEGER }));
    await stage.workers.serve("high");
    await stage.workers.producer.wake("inbound", { shard: 1 });
    await emptied("inbound");
    expect(await texts()).toEqual(["hello 1"]);
    await until(() => endpoint.received.length === 1, { what: "the delivery" });
  });

  test("strips U+0000 from texts", async () => {
    stage.workers.shard.append("inbound", stage.business, received(1, { text: "a\u0000b" }));
    await stage.workers.serve("high");
    await stage.workers.producer.wake("inbound", { shard: 1 });
    await emptied("inbound");
    expect(await texts()).toEqual(["a\uFFFDb"]);
  });

  test("drops entries of a deleted business", async () => {
    stage.workers.shard.append("inbound", uuidv7(), received(1));
    stage.workers.shard.append("inbound", stage.business, received(2));
    await stage.workers.serve("high");
    await stage.workers.producer.wake("inbound", { shard: 1 });
    await emptied("inbound");
    expect(await texts()).toEqual(["hello 2"]);
  });

  test("acknowledges nothing that Postgres does not have", async () => {
    for (let n = 0; n < 10; n++) stage.workers.shard.append("inbound", stage.business, received(n));
    await stage.workers.database.owner`alter table messages rename to messages_away`;
    await stage.workers.serve("high");
    await stage.workers.producer.wake("inbound", { shard: 1 });
    await until(() => stage.workers.lines.find((line) => line["outcome"] === "failed"), { what: "a run that fails" });
    expect(stage.workers.shard.unacknowledged("inbound")).toBe(10);
    await stage.workers.database.owner`alter table messages_away rename to messages`;
    await emptied("inbound");
    expect((await texts()).length).toBe(10);
    expect(stage.workers.log.filter((line) => line["msg"] === "journal entry quarantined")).toEqual([]);
  });

  test("retries an unavailable shard", async () => {
    let refusals = 0;
    stage.workers.shard.refuseJournal = () => (refusals++ < 3 ? refusal(503, "The shard is starting.") : undefined);
    stage.workers.shard.append("inbound", stage.business, received(1));
    await stage.workers.serve("high");
    await stage.workers.producer.wake("inbound", { shard: 1 });
    await emptied("inbound");
    expect(refusals).toBe(4);
  });

  test("one worker at a time reads a stream", async () => {
    for (let n = 0; n < 2_000; n++) stage.workers.shard.append("inbound", stage.business, received(n));
    const high = await queueOn(stage.workers.redis, "high");
    for (let i = 0; i < 4; i++) await high.add("inbound", { shard: 1 });
    await stage.workers.serve("high");
    await emptied("inbound");
    expect((await texts()).length).toBe(2_000);
    expect(
      stage.workers.lines.filter((line) => line["reason"] === "another worker holds the lease").length,
    ).toBeGreaterThan(0);
  });

  test("stores and announces once despite two concurrent workers", async () => {
    const endpoint = await stage.workers.endpoint(stage.business, { events: ["message.received"] });
    const second = 1_760_000_000_000;
    stage.workers.shard.append("inbound", stage.business, received(0));
    const run = () => stage.workers.handlers.inbound(firstRun<"inbound">({ shard: 1 }));
    const { owner } = stage.workers.database;
    const runs: Promise<unknown>[] = [];
    await owner.begin(async (sql) => {
      await sql`lock table webhook_deliveries in share mode`;
      const waiting = async (count: number) => {
        const here = sql`(select oid from pg_database where datname = current_database())`;
        const areWaiting = async () =>
          (await sql`select from pg_locks where not granted and database = ${here}`).length === count;
        await until(areWaiting, { what: `${count} runs to wait` });
      };
      runs.push(run());
      // Its message has an order in the chat and is not committed yet.
      await waiting(1);
      // Another message of the same second, so that the chat's next one gets another order.
      const id = uuidv7Floor(second + 500);
      await submitMessage(forBusiness(stage.workers.database.db, stage.business), {
        id,
        chat,
        type: "text",
        text: "out",
        wa_message_id: "OUT",
      });
      await stage.workers.redis.flushdb();
      runs.push(run());
      await waiting(2);
    });
    await Promise.all(runs);
    expect((await stage.workers.rows(stage.business)).map(({ text }) => text).toSorted()).toEqual(["hello 0", "out"]);
    expect(await stage.workers.deliveries(endpoint.id)).toHaveLength(1);
  });
});

describe("receipts", () => {
  test("end in the highest status in any order", async () => {
    const id = await stage.workers.queueMessage(stage.business, chat, "out");
    await stage.workers.serve("high");
    await stage.workers.producer.wake("send", { business_id: stage.business });
    await until(async () => (await stage.workers.rows(stage.business))[0]?.status === "sent", {
      what: "a sent message",
    });
    const { wa_message_id } = (await stage.workers.rows(stage.business))[0]!;
    const at = Date.now() + 60_000;
    for (const [status, after] of [
      ["read", 2_000],
      ["delivered", 1_000],
      ["delivered", 1_500],
      ["sent", 500],
    ] as const) {
      stage.workers.shard.append("receipts", stage.business, { wa_message_id, chat, status, at: at + after });
    }
    stage.workers.shard.append("receipts", stage.business, { wa_message_id: "unknown", chat, status: "read", at });
    stage.workers.shard.append("receipts", stage.business, { wa_message_id, chat, status: "no such tick", at });
    await stage.workers.serve("receipts");
    await stage.workers.producer.wake("receipts", { shard: 1 });
    await emptied("receipts");
    const [row] = await stage.workers.rows(stage.business);
    expect(row).toMatchObject({ id, status: "read" });
    expect(new Date(row!.delivered_at!).getTime()).toBe(at + 1_000);
    expect(new Date(row!.read_at!).getTime()).toBe(at + 2_000);
  });
});
