import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { uuidv7Floor, whatsappMessageId } from "../../../lib/core/ids.ts";
import { until } from "../../../lib/testing/until.ts";
import { createTestWorkers } from "../testing/workers.ts";
import type { TestWorkers } from "../testing/workers.ts";

let workers: TestWorkers;
let business: string;
beforeEach(async () => {
  workers = await createTestWorkers();
  business = await workers.business();
  await workers.database.owner`update businesses set whatsapp_shard = 1`;
});
afterEach(() => workers.close());

const chat = "15550002222@s.whatsapp.net";
const minute = 60_000;

/** A message that was sent so long ago, and has got no tick since. */
async function sent(minutesAgo: number, n: number): Promise<{ id: string; wa_message_id: string }> {
  const at = new Date(Date.now() - minutesAgo * minute);
  const id = `${uuidv7Floor(at.getTime()).slice(0, -4)}${String(n).padStart(4, "0")}`;
  const wa_message_id = whatsappMessageId(id);
  await workers.database.owner`
    insert into messages (id, business_id, direction, chat, type, text, wa_message_id, status, attempts, sent_at)
    values (${id}, ${business}, 'outbound', ${chat}, 'text', 'x', ${wa_message_id}, 'sent', 1, ${at.toISOString()})`;
  return { id, wa_message_id };
}
const overdue = async () =>
  (
    await workers.database.owner<
      { id: string }[]
    >`select id from messages where ticks_overdue_at is not null order by id`
  ).map(({ id }) => id);
const sync = async () => {
  const before = workers.lines.length;
  await workers.producer.wake("sync_receipts", {});
  await until(
    () => workers.lines.slice(before).find((line) => line["job"] === "sync_receipts" && line["outcome"] === "done"),
    {
      what: "the run",
    },
  );
};

describe("sync_receipts", () => {
  test("marks a message with missing ticks once", async () => {
    const [old] = [await sent(16, 1), await sent(10, 2)];
    await workers.serve("receipts_sync");
    await sync();
    expect(await overdue()).toEqual([old.id]);
    expect(await workers.metrics.registry.metrics()).toContain('prosaas_ticks_overdue_total{service="test"} 1');
    await sync();
    expect(await overdue()).toEqual([old.id]);
  });

  test("drains ticks from the journal before marking", async () => {
    const [ticked, silent] = [await sent(17, 1), await sent(17, 2)];
    workers.shard.append("receipts", business, {
      wa_message_id: ticked.wa_message_id,
      chat,
      status: "delivered",
      at: Date.now(),
    });
    await workers.serve("receipts");
    await workers.serve("receipts_sync");
    await sync();
    expect(workers.shard.unacknowledged("receipts")).toBe(0);
    expect(await overdue()).toEqual([silent.id]);
  }, 20_000);

  test("catches up after an outage, within bounds", async () => {
    const [stale, missed] = [await sent(3 * 24 * 60, 1), await sent(25 * 60, 2)];
    await workers.database
      .owner`insert into progress_marks (name, at) values ('overdue_ticks', now() - interval '4 days')`;
    await workers.serve("receipts_sync");
    await sync();
    expect(await overdue()).toEqual([missed.id]);
    expect(await overdue()).not.toContain(stale.id);
  }, 20_000);

  test("an unavailable shard blocks no other", async () => {
    const old = await sent(20, 1);
    workers.addresses.clear();
    await workers.serve("receipts_sync");
    await sync();
    expect(await overdue()).toEqual([old.id]);
  });
});
