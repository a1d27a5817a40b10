import { beforeEach, describe, expect, test } from "bun:test";
import { uuidv7Floor, whatsappMessageId } from "../../../lib/core/ids.ts";
import { until } from "../../../lib/testing/until.ts";
import { useWorkers } from "../testing/workers.ts";

const stage = useWorkers();
beforeEach(async () => {
  await stage.workers.database.owner`update businesses set whatsapp_shard = 1`;
});

const chat = "15550002222@s.whatsapp.net";
const minute = 60_000;

/** A message that was sent so long ago, and has got no receipt since. */
async function sent(minutesAgo: number, n: number): Promise<{ id: string; wa_message_id: string }> {
  const at = new Date(Date.now() - minutesAgo * minute);
  const id = `${uuidv7Floor(at.getTime()).slice(0, -4)}${String(n).padStart(4, "0")}`;
  const wa_message_id = whatsappMessageId(id);
  await stage.workers.database.owner`
    insert into messages (id, business_id, direction, chat, type, text, wa_message_id, status, attempts, sent_at)
    values (${id}, ${stage.business}, 'outbound',
    ${chat}, 'text', 'x', ${wa_message_id}, 'sent', 1, ${at.toISOString()})`;
  return { id, wa_message_id };
}
const overdue = async () =>
  (
    await stage.workers.database.owner<
      { id: string }[]
    >`select id from messages where ticks_overdue_at is not null order by id`
  ).map(({ id }) => id);
const sync = async () => {
  const before = stage.workers.lines.length;
  await stage.workers.producer.wake("sync_receipts", {});
  await until(
    () =>
      stage.workers.lines.slice(before).find((line) => line["job"] === "sync_receipts" && line["outcome"] === "done"),
    {
      what: "the run",
    },
  );
};

describe("sync_receipts", () => {
  test("marks a message with missing receipts once", async () => {
    const [old] = [await sent(16, 1), await sent(10, 2)];
    await stage.workers.serve("receipts_sync");
    await sync();
    expect(await overdue()).toEqual([old.id]);
    expect(await stage.workers.metrics.registry.metrics()).toContain(
      'prosaas_receipts_overdue_total{service="test"} 1',
    );
    await sync();
    expect(await overdue()).toEqual([old.id]);
  });

  test("drains receipts from the journal before marking", async () => {
    const [ticked, silent] = [await sent(17, 1), await sent(17, 2)];
    stage.workers.shard.append("receipts", stage.business, {
      wa_message_id: ticked.wa_message_id,
      chat,
      status: "delivered",
      at: Date.now(),
    });
    await stage.workers.serve("receipts");
    await stage.workers.serve("receipts_sync");
    await sync();
    expect(stage.workers.shard.unacknowledged("receipts")).toBe(0);
    expect(await overdue()).toEqual([silent.id]);
  });

  test("catches up after an outage, within bounds", async () => {
    const [stale, missed] = [await sent(3 * 24 * 60, 1), await sent(25 * 60, 2)];
    await stage.workers.database
      .owner`insert into progress_marks (name, at) values ('overdue_ticks', now() - interval '4 days')`;
    await stage.workers.serve("receipts_sync");
    await sync();
    expect(await overdue()).toEqual([missed.id]);
    expect(await overdue()).not.toContain(stale.id);
  });

  test("an unavailable shard blocks no other", async () => {
    const old = await sent(20, 1);
    stage.workers.addresses.clear();
    await stage.workers.serve("receipts_sync");
    await sync();
    expect(await overdue()).toEqual([old.id]);
  });

  test("leaves a group message with one member's receipt", async () => {
    const [partly, silent] = [await sent(17, 1), await sent(17, 2)];
    await stage.workers.database.owner`update messages set chat = '1203630001@g.us', group_recipients = 5`;
    stage.workers.shard.append("receipts", stage.business, {
      wa_message_id: partly.wa_message_id,
      chat: "1203630001@g.us",
      status: "delivered",
      at: Date.now(),
      member: "15551@lid",
    });
    await stage.workers.serve("receipts");
    await stage.workers.serve("receipts_sync");
    await sync();
    expect(await overdue()).toEqual([silent.id]);
  });
});
