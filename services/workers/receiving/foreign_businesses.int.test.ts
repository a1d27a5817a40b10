import { beforeEach, describe, expect, test } from "bun:test";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { chat, received, useJournal } from "../testing/journal.ts";

const { stage, emptied, texts } = useJournal();

describe("a shard that reports about another's business", () => {
  const quarantined = () =>
    stage.workers.log.filter((line) => line["msg"] === "journal entry quarantined").map((line) => line["business_id"]);
  const event = (status: string) => ({
    event: "session.status",
    status,
    paired: true,
    since: new Date().toISOString(),
  });
  let own: string;
  beforeEach(async () => {
    own = await stage.workers.business();
    await stage.workers.database.owner`update businesses set whatsapp_shard = 2 where id = ${stage.business}`;
  });

  test("cannot write its messages", async () => {
    stage.workers.shard.append("inbound", stage.business, received(1));
    stage.workers.shard.append("inbound", own, received(2));
    await stage.workers.serve("high");
    await stage.workers.producer.wake("inbound", { shard: 1 });
    await emptied("inbound");
    expect(await texts()).toEqual([]);
    expect((await stage.workers.rows(own)).map((row) => row.text)).toEqual(["hello 2"]);
    expect(quarantined()).toEqual([stage.business]);
  });

  test("cannot change its ticks", async () => {
    const id = await stage.workers.queueMessage(stage.business, "15550002222", "hello");
    const [{ wa_message_id }] = await stage.workers.database.owner<
      [{ wa_message_id: string }]
    >`select wa_message_id from messages where id = ${id}`;
    stage.workers.shard.append("receipts", stage.business, { wa_message_id, chat, status: "failed", at: Date.now() });
    await stage.workers.serve("receipts");
    await stage.workers.producer.wake("receipts", { shard: 1 });
    await emptied("receipts");
    expect((await stage.workers.rows(stage.business)).map((row) => row.status)).toEqual(["queued"]);
    expect(quarantined()).toEqual([stage.business]);
  });

  test("cannot change its session", async () => {
    stage.workers.shard.append("events", stage.business, event("logged_out"));
    await stage.workers.serve("default");
    await stage.workers.producer.wake("session_events", { shard: 1 });
    await emptied("events");
    const [session] = await stage.workers.database
      .owner`select status, shard from whatsapp_sessions where business_id = ${stage.business}`;
    expect(session).toMatchObject({ status: "open", shard: 1 });
    expect(quarantined()).toEqual([stage.business]);
  });

  test("is believed about what it received before a move", async () => {
    await stage.workers.database.owner`
      insert into moves (id, business_id, from_shard, to_shard) values (${uuidv7()}, ${stage.business}, 1, 2)`;
    stage.workers.shard.append("inbound", stage.business, received(1));
    await stage.workers.serve("high");
    await stage.workers.producer.wake("inbound", { shard: 1 });
    await emptied("inbound");
    expect(await texts()).toEqual(["hello 1"]);
  });
});
