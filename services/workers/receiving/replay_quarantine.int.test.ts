import { describe, expect, test } from "bun:test";
import { forPlatform, listQuarantine, quarantineEntries, requestReplay } from "../../../lib/db/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { useWorkers } from "../testing/workers.ts";

const stage = useWorkers();

const chat = "15550002222@s.whatsapp.net";
const platform = () => forPlatform(stage.workers.database.db);
const quarantine = (seq: number, data: object, more: { stream?: string } = {}) => {
  const { business } = stage;
  const entry = { seq, business_id: business, at: new Date(1_760_000_000_000).toISOString(), data };
  const row = { shard: 1, stream: "inbound", seq, business_id: business, reason: "unknown", entry, at: new Date() };
  return quarantineEntries(platform(), [{ ...row, ...more }]);
};
const message = (n: number) => ({
  wa_message_id: `Q${n}`,
  chat,
  sender: chat,
  from_me: false,
  timestamp: 1_760_000_000_000 + n * 1000,
  type: "text",
  text: `hello ${n}`,
});
const left = () => listQuarantine(platform(), { limit: 10 });

async function replay(): Promise<void> {
  await requestReplay(platform(), {});
  await stage.workers.serve("maintenance");
  await stage.workers.producer.wake("replay_quarantine", {});
  await until(async () => (await left()).every((row) => row.replay_requested_at === null), { what: "the replay" });
}

describe("replayQuarantine", () => {
  test("writes entries that this version understands, once", async () => {
    const endpoint = await stage.workers.endpoint(stage.business, { events: ["message.received"] });
    await quarantine(1, message(1));
    await quarantine(2, message(2));
    await quarantine(3, message(2));
    await replay();
    expect(await left()).toEqual([]);
    expect((await stage.workers.rows(stage.business)).map(({ text }) => text)).toEqual(["hello 1", "hello 2"]);
    await stage.workers.serve("high");
    await until(() => endpoint.received.length === 2, { what: "both deliveries" });
  });

  test("keeps entries that are refused again", async () => {
    await quarantine(1, { nonsense: "content that no reason may hold" });
    await quarantine(2, message(2), { stream: "a stream of another version" });
    await quarantine(3, message(3));
    await replay();
    const rows = await left();
    expect(rows.map(({ seq }) => seq).toSorted()).toEqual([1, 2]);
    const reasons = rows.map(({ reason }) => reason).join();
    expect(reasons).toContain("wa_message_id");
    expect(reasons).toContain("there is no stream");
    expect(reasons).not.toContain("no reason may hold");
    expect(await stage.workers.rows(stage.business)).toHaveLength(1);
  });
});
