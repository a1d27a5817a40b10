import { describe, expect, test } from "bun:test";
import { uuidv7 } from "../../lib/core/ids.ts";
import type { Message } from "../../lib/db/index.ts";
import type { RunResult } from "../../lib/queues/index.ts";
import { besideOrderedLocks, lockRow } from "../../lib/testing/lock_order.ts";
import { storedContent } from "../../lib/messages/index.ts";
import { firstRun } from "./testing/run.ts";
import { useWorkers } from "./testing/workers.ts";

const stage = useWorkers();

const chat = "15550002222@s.whatsapp.net";
const group = "120363000000000001@g.us";
/** Later than the ids of rows that a test inserts. */
const timestamp = Date.now() + 60_000;

const insertMessage = async (changes: Partial<Message> = {}): Promise<string> => {
  const { owner } = stage.workers.database;
  const id = uuidv7();
  const row = { id, business_id: stage.business, chat, direction: "outbound", type: "text", text: "hello" };
  await owner`insert into messages ${owner({ ...row, wa_message_id: id, status: "sent", ...changes } as never)}`;
  return id;
};
/**
 * Runs a job beside a transaction that locks these messages in order of id; returns the counts of all its turns. A
 * deadlock would end a turn with the database's error. On a busy machine the wait for the locks may use up the first
 * turn's time.
 */
const runBesideLocks = async (ids: readonly string[], job: () => Promise<RunResult>) => {
  const [first, last] = ids.toSorted();
  const locks = [lockRow("messages", first!), lockRow("messages", last!)] as const;
  const turns = [await besideOrderedLocks(stage.workers.database, locks, job)];
  while (turns.at(-1)!.again?.reason === "the turn is over") turns.push(await job());
  expect(turns.at(-1)!.again).toBeUndefined();
  const counts: Record<string, number> = {};
  for (const turn of turns)
    for (const [name, count] of Object.entries(turn.counts ?? {})) counts[name] = (counts[name] ?? 0) + count;
  return counts;
};

describe("messages are locked in order of id:", () => {
  test("those that were sent, with those that they change", async () => {
    await stage.workers.endpoint(stage.business);
    const target = await insertMessage();
    const reaction = storedContent({
      type: "reaction",
      emoji: "👍",
      target: { id: target, wa_message_id: target, from_me: true },
    });
    const id = await stage.workers.queueMessage(stage.business, chat, reaction);
    const run = () => stage.workers.handlers.send(firstRun<"send">({ business_id: stage.business }));
    expect(await runBesideLocks([target, id], run)).toEqual({ sent: 1, failed: 0, retried: 0 });
    expect(await stage.workers.rows(stage.business)).toMatchObject([{ reactions: [{}] }, { status: "sent" }]);
  });

  test("those that arrive late, with those that others change", async () => {
    const target = await insertMessage();
    const received = { chat, sender: chat, from_me: false, push_name: null };
    const append = (wa_message_id: string, content: Parameters<typeof storedContent>[0]) =>
      stage.workers.shard.append("inbound", stage.business, {
        ...received,
        wa_message_id,
        timestamp: wa_message_id === "LATE" ? timestamp : timestamp + 5_000,
        ...storedContent(content),
      });
    const run = () => stage.workers.handlers.inbound(firstRun<"inbound">({ shard: 1 }));
    append("LATE", { type: "unavailable", reason: "not_resent" });
    await run();
    const late = (await stage.workers.rows(stage.business)).find((row) => row.wa_message_id === "LATE")!.id;
    append("LATE", { type: "text", text: "hello" });
    append("R", { type: "reaction", emoji: "👍", target: { wa_message_id: target, from_me: true } });
    expect(await runBesideLocks([target, late], run)).toEqual({ written: 2, quarantined: 0 });
  });

  test("those with receipts, with those of groups", async () => {
    const ofGroup = await insertMessage({ chat: group });
    const direct = await insertMessage();
    const append = (wa_message_id: string, more: Record<string, unknown>) =>
      stage.workers.shard.append("receipts", stage.business, {
        wa_message_id,
        status: "delivered",
        chat,
        at: timestamp,
        ...more,
      });
    append(direct, {});
    append(ofGroup, { member: chat, recipients: 1 });
    const run = () => stage.workers.handlers.receipts(firstRun<"receipts">({ shard: 1 }));
    expect(await runBesideLocks([ofGroup, direct], run)).toEqual({ written: 2, quarantined: 0 });
    const rows = await stage.workers.rows(stage.business);
    expect(rows.map(({ status }) => status)).toEqual(["delivered", "delivered"]);
  });

  test("those of several renamed accounts", async () => {
    await stage.workers.queueMessage(stage.business, "1@lid", "first");
    const second = await stage.workers.queueMessage(stage.business, "2@lid", "second");
    const third = await stage.workers.queueMessage(stage.business, "1@lid", "third");
    stage.workers.shard.decide = ({ to }) =>
      to.endsWith("@lid") ? { status: "retry", account: `1555000${to[0]}111@s.whatsapp.net` } : undefined;
    const run = () => stage.workers.handlers.send(firstRun<"send">({ business_id: stage.business }));
    expect(await runBesideLocks([second, third], run)).toEqual({ sent: 3, failed: 0, retried: 0 });
  });
});
