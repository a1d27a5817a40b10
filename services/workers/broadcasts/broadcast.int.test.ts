import { afterEach, beforeEach, expect, test } from "bun:test";
import { uuidv7 } from "../../../lib/core/ids.ts";
import {
  addOptOut,
  addRecipients,
  atomically,
  broadcastProgress,
  forBusiness,
  getBroadcast,
  insertBroadcast,
  listRecipients,
  moveBroadcast,
} from "../../../lib/db/index.ts";
import type { NewBroadcast } from "../../../lib/db/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { refusal } from "../testing/shard.ts";
import { createTestWorkers } from "../testing/workers.ts";
import type { TestWorkers } from "../testing/workers.ts";

let workers: TestWorkers;
let business: string;
beforeEach(async () => {
  workers = await createTestWorkers();
  business = await workers.business();
});
afterEach(() => workers.close());

const chat = (n: number) => `1555${String(n).padStart(7, "0")}@s.whatsapp.net`;
const scope = () => forBusiness(workers.database.db, business);
const status = async (id: string) => (await getBroadcast(scope(), id))!.status;
const reached = (id: string, wanted: string, deadlineMs = 10_000) =>
  until(async () => (await status(id)) === wanted, { what: `the broadcast to be ${wanted}`, deadlineMs });
const wake = (id: string) => workers.producer.wake("broadcast", { broadcast_id: id }, { expedite: true });

async function draft(count: number, changes: Partial<NewBroadcast> = {}): Promise<string> {
  const id = uuidv7();
  const broadcast: NewBroadcast = {
    id,
    name: "Sale",
    text: "Hello {{name}}",
    time_zone: null,
    scheduled_at: null,
    quiet_from: null,
    quiet_to: null,
    per_minute: 60_000,
    ...changes,
  };
  await insertBroadcast(scope(), broadcast);
  await addRecipients(
    scope(),
    id,
    Array.from({ length: count }, (_, n) => ({
      chat: chat(n),
      fields: { name: `N${n}` },
      text_length: `Hello N${n}`.length,
    })),
  );
  return id;
}

async function start(count: number, changes: Partial<NewBroadcast> = {}): Promise<string> {
  const id = await draft(count, changes);
  await moveBroadcast(scope(), id, "start");
  await wake(id);
  return id;
}

async function serve(): Promise<void> {
  await workers.serve("high");
  await workers.serve("broadcasts");
}

const texts = () => workers.shard.deliveries.map(({ text }) => text);
const expectEachOnce = (count: number) =>
  expect(texts().toSorted((a, b) => (a < b ? -1 : 1))).toEqual(
    Array.from({ length: count }, (_, n) => `Hello N${n}`).toSorted((a, b) => (a < b ? -1 : 1)),
  );

test("each recipient is sent the text with their own fields, in the order given, and the broadcast is completed", async () => {
  const endpoint = await workers.endpoint(business, { events: ["broadcast.status"] });
  await serve();
  const id = await start(120);
  await reached(id, "completed");
  expect(texts()).toEqual(Array.from({ length: 120 }, (_, n) => `Hello N${n}`));
  expect(await broadcastProgress(scope(), id)).toEqual({
    recipients: 120,
    pending: 0,
    opted_out: 0,
    messages: { sent: 120 },
  });
  const [first] = await listRecipients(scope(), id, { after: 0, limit: 1 });
  expect(first).toMatchObject({ chat: chat(0), status: "released", message_status: "sent" });
  await until(() => endpoint.told.length === 2, { what: "the events" });
  expect(endpoint.told.map(({ data }) => data["status"]).toSorted()).toEqual(["completed", "running"]);
  expect(await workers.liveEvents(business, "broadcast.status")).toEqual([
    { broadcast_id: id, status: "running" },
    { broadcast_id: id, status: "completed" },
  ]);
});

test("who has opted out is passed over, also after the start", async () => {
  await addOptOut(scope(), chat(1));
  const id = await draft(4);
  await moveBroadcast(scope(), id, "start");
  await addOptOut(scope(), chat(2));
  await serve();
  await wake(id);
  await reached(id, "completed");
  expect(texts()).toEqual(["Hello N0", "Hello N3"]);
  expect(await broadcastProgress(scope(), id)).toMatchObject({ recipients: 4, opted_out: 2, messages: { sent: 2 } });
});

test("who opts out while a message for them is held in the outbox is not sent it", async () => {
  await workers.serve("broadcasts");
  // A batch with it was made up before the opt-out.
  workers.shard.refuse = ({ messages }) =>
    messages.some(({ to }) => to === chat(1)) ? refusal(503, "not now") : undefined;
  const id = await start(3);
  await until(async () => (await broadcastProgress(scope(), id)).messages.queued === 3, { what: "the release" });
  await addOptOut(scope(), chat(1));
  await wake(id);
  await workers.producer.wake("send_broadcasts", { business_id: business }, { expedite: true });
  await reached(id, "completed", 20_000);
  expect(texts()).toEqual(["Hello N0", "Hello N2"]);
  const [, second] = await listRecipients(scope(), id, { after: 0, limit: 3 });
  expect(second).toMatchObject({ chat: chat(1), message_status: "failed", error_code: "opted_out" });
}, 30_000);

test("a recipient given twice is sent one message", async () => {
  const id = await draft(3);
  expect(
    await addRecipients(scope(), id, [
      { chat: chat(0), fields: { name: "again" }, text_length: 11 },
      { chat: chat(3), fields: { name: "N3" }, text_length: 8 },
    ]),
  ).toBe(1);
  await moveBroadcast(scope(), id, "start");
  expect(await addRecipients(scope(), id, [{ chat: chat(4), fields: {}, text_length: 6 }])).toBeUndefined();
  await serve();
  await wake(id);
  await reached(id, "completed");
  expectEachOnce(4);
});

test("a paused broadcast sends nothing more, a resumed one the rest, each once", async () => {
  const gate = Promise.withResolvers<void>();
  workers.shard.beforeAnswer = async () => {
    await gate.promise;
    return undefined;
  };
  await serve();
  const id = await start(300);
  await until(() => workers.shard.batches.length === 1, { what: "the first batch" });
  await moveBroadcast(scope(), id, "pause");
  gate.resolve();
  const handedOver = workers.shard.batches[0]!.messages.length;
  await until(async () => (await broadcastProgress(scope(), id)).messages.sent === handedOver, {
    what: "the batch that was under way",
  });
  await wake(id);
  await workers.producer.wake("send_broadcasts", { business_id: business }, { expedite: true });
  await until(
    () => workers.lines.filter((line) => line["job"] === "broadcast" && line["outcome"] === "done").length > 0,
    {
      what: "a run",
    },
  );
  expect(workers.shard.deliveries.length).toBe(handedOver);
  expect((await broadcastProgress(scope(), id)).messages.queued).toBeGreaterThan(0);
  expect((await moveBroadcast(scope(), id, "resume"))?.outcome).toBe("moved");
  await wake(id);
  await workers.producer.wake("send_broadcasts", { business_id: business }, { expedite: true });
  await reached(id, "completed");
  expectEachOnce(300);
});

test("a pause that comes in the middle of a step is not undone by it", async () => {
  let sending = false;
  const { send_broadcasts, ...others } = workers.handlers;
  await workers.serve("broadcasts", {
    handlers: { ...others, send_broadcasts: async (run) => (sending ? send_broadcasts(run) : {}) },
  });
  const id = await start(300);
  await until(async () => (await broadcastProgress(scope(), id)).messages.queued === 200, { what: "a full outbox" });
  await atomically(scope(), async (inner) => {
    // A step reads that the broadcast is running, and then waits to write.
    await inner.run((sql) => sql`lock table messages in share mode`);
    await until(
      async () =>
        (await workers.database.owner`select from pg_locks where not granted and relation = 'messages'::regclass`)
          .length > 0,
      {
        what: "a step that is about to write",
      },
    );
    await moveBroadcast(inner, id, "pause");
  });
  await until(() => workers.lines.some((line) => line["job"] === "broadcast" && line["outcome"] === "done"), {
    what: "the steps' end",
  });
  sending = true;
  const before = workers.lines.length;
  await workers.producer.wake("send_broadcasts", { business_id: business }, { expedite: true });
  await until(() => workers.lines.slice(before).some((line) => line["job"] === "send_broadcasts"), { what: "a run" });
  expect(workers.shard.batches).toHaveLength(0);
});

test("of a cancelled broadcast what was not handed over fails, and nobody else is written to", async () => {
  const gate = Promise.withResolvers<void>();
  workers.shard.beforeAnswer = async () => {
    await gate.promise;
    return undefined;
  };
  const endpoint = await workers.endpoint(business, { events: ["message.failed"] });
  await serve();
  const id = await start(300);
  await until(() => workers.shard.batches.length === 1, { what: "the first batch" });
  await moveBroadcast(scope(), id, "cancel");
  await wake(id);
  gate.resolve();
  await until(async () => ((await broadcastProgress(scope(), id)).messages.queued ?? 0) === 0, {
    what: "an empty outbox",
  });
  const { messages, pending } = await broadcastProgress(scope(), id);
  expect(messages.sent).toBe(workers.shard.deliveries.length);
  expect(messages.failed! + messages.sent! + pending).toBe(300);
  const failed = (await workers.rows(business)).filter((row) => row.status === "failed");
  expect(new Set(failed.map((row) => row.error_code))).toEqual(new Set(["broadcast_cancelled"]));
  await until(() => endpoint.told.length === failed.length, { what: "the events" });
  expect((await moveBroadcast(scope(), id, "resume"))?.outcome).toBe("refused");
});

test("a broadcast keeps its pace and waits for its time", async () => {
  await serve();
  const later = await start(5, { scheduled_at: new Date(Date.now() + 3_600_000) });
  const paced = await start(6, { per_minute: 600 });
  const begun = performance.now();
  await reached(paced, "completed");
  // Six at ten a second: the first at once, the last after half a second.
  expect(performance.now() - begun).toBeGreaterThan(480);
  expect(await status(later)).toBe("scheduled");
  await workers.database.owner`update broadcasts set scheduled_at = now() where id = ${later}`;
  await workers.sweep();
  await reached(later, "completed");
});

/** Quiet hours around now: no test reaches their edge, whatever the time of day. */
const quietNow = () => {
  const wall = (offsetMs: number) => new Date(Date.now() + offsetMs).toISOString().slice(11, 16);
  return { from: wall(-6 * 3_600_000), to: wall(6 * 3_600_000) };
};
const quietHours = (hours: { from: string; to: string } | null) =>
  workers.database.owner`update broadcasts set quiet_from = ${hours?.from ?? null}, quiet_to = ${hours?.to ?? null}`;
const firstTry = () =>
  until(() => workers.lines.some((line) => line["job"] === "send_broadcasts" && line["outcome"] === "postponed"), {
    what: "a try",
  });
const isQuiet = () =>
  until(() => workers.lines.some((line) => line["reason"] === "quiet hours"), { what: "the quiet" });
/** What was held goes out once the quiet hours are over, each once. */
const goesOnAfterThem = async (id: string, count: number) => {
  await quietHours(null);
  await wake(id);
  await reached(id, "completed");
  expectEachOnce(count);
};

test("in quiet hours nothing is sent, not even what was released before", async () => {
  workers.shard.refuse = () => refusal(503, "The session is not open.");
  await serve();
  const id = await start(10);
  await firstTry();
  await quietHours(quietNow());
  await wake(id);
  await isQuiet();
  workers.shard.refuse = () => undefined;
  await workers.producer.wake("send_broadcasts", { business_id: business }, { expedite: true });
  await until(() => workers.lines.some((line) => line["job"] === "send_broadcasts" && line["outcome"] === "done"), {
    what: "a run",
  });
  expect(texts()).toEqual([]);
  await goesOnAfterThem(id, 10);
});

test("one that is resumed in its quiet hours sends nothing before they are over", async () => {
  workers.shard.refuse = () => refusal(503, "The session is not open.");
  await serve();
  const id = await start(10);
  await firstTry();
  await moveBroadcast(scope(), id, "pause");
  await quietHours(quietNow());
  workers.shard.refuse = () => undefined;
  await moveBroadcast(scope(), id, "resume");
  const before = workers.lines.length;
  await workers.producer.wake("send_broadcasts", { business_id: business }, { expedite: true });
  await until(() => workers.lines.slice(before).some((line) => line["job"] === "send_broadcasts"), { what: "a run" });
  await wake(id);
  await isQuiet();
  expect(texts()).toEqual([]);
  await goesOnAfterThem(id, 10);
});

test("quiet hours hold within a second what a slow broadcast has in the outbox", async () => {
  let mayGo = false;
  workers.shard.decide = () => (mayGo ? undefined : { status: "paced", wait_ms: 3_600_000, holds: "everything" });
  await serve();
  const id = await start(2, { per_minute: 1 });
  await until(() => workers.lines.some((line) => line["reason"] === "the account is paced"), {
    what: "its first message at the shard",
  });
  await until(() => workers.lines.some((line) => line["reason"] === "the broadcast is rate limited"), {
    what: "its pace",
  });
  await quietHours(quietNow());
  await isQuiet();
  mayGo = true;
  const before = workers.lines.length;
  await workers.producer.wake("send_broadcasts", { business_id: business }, { expedite: true });
  await until(() => workers.lines.slice(before).some((line) => line["job"] === "send_broadcasts"), { what: "a run" });
  expect(texts()).toEqual([]);
  expect(await status(id)).toBe("running");
});

test("while the business has no paired WhatsApp nothing is released, and so nothing fails", async () => {
  await workers.database.owner`update whatsapp_sessions set paired = false`;
  await serve();
  const id = await start(5);
  await until(() => workers.lines.some((line) => line["reason"] === "the business has no paired WhatsApp"), {
    what: "the wait",
  });
  expect(await workers.rows(business)).toHaveLength(0);
  await workers.database.owner`update whatsapp_sessions set paired = true`;
  await wake(id);
  await reached(id, "completed");
});

test("an urgent message does not wait for a broadcast's batch, and those are small", async () => {
  const gate = Promise.withResolvers<void>();
  workers.shard.beforeAnswer = async ({ messages }) => {
    if (messages.some(({ text }) => text?.startsWith("Hello"))) await gate.promise;
    return undefined;
  };
  await serve();
  await start(200);
  await until(() => workers.shard.batches.length === 1, { what: "the broadcast's first batch" });
  expect(workers.shard.batches[0]!.messages.length).toBe(5);
  await workers.queueMessage(business, chat(9_999_999), "code 4711");
  await workers.producer.wake("send", { business_id: business });
  const urgent = async () => (await workers.rows(business)).find(({ text }) => text === "code 4711")?.status;
  await until(async () => (await urgent()) === "sent", { what: "the urgent message" });
  expect(workers.shard.batches.map(({ messages }) => messages.length)).toEqual([5, 1]);
  gate.resolve();
});

test("in a chat the order is kept: what a broadcast released before an urgent message goes before it, and once", async () => {
  await workers.serve("broadcasts");
  workers.shard.refuse = () => refusal(503, "The session is not open.");
  await start(50);
  await until(async () => (await workers.rows(business)).length === 50, { what: "the outbox" });
  await workers.queueMessage(business, chat(40), "code 4711");
  // Whatever the broadcast hands over from here on is held up at the shard, number 40 perhaps among it.
  const gate = Promise.withResolvers<void>();
  workers.shard.refuse = () => undefined;
  workers.shard.beforeAnswer = async ({ messages }) => {
    if (messages.every(({ text }) => text !== "code 4711")) await gate.promise;
    return undefined;
  };
  await workers.serve("high");
  await workers.producer.wake("send", { business_id: business });
  const urgent = await until(
    () => workers.shard.batches.find(({ messages }) => messages.some(({ text }) => text === "code 4711")),
    {
      what: "the urgent message's batch",
    },
  );
  expect(urgent.messages.map(({ text }) => text)).toEqual(["Hello N40", "code 4711"]);
  gate.resolve();
  await workers.producer.wake("send_broadcasts", { business_id: business }, { expedite: true });
  await until(() => workers.shard.deliveries.length === 51, { what: "the rest" });
  const inChat = workers.shard.deliveries.filter((delivery) => delivery.chat === chat(40));
  expect(inChat.map(({ text }) => text)).toEqual(["Hello N40", "code 4711"]);
});

test("in a chat the order is kept: what was urgent before a broadcast's message goes before it", async () => {
  await workers.queueMessage(business, chat(1), "urgent");
  await workers.serve("broadcasts");
  const id = await start(3);
  await reached(id, "completed");
  expect(texts().indexOf("urgent")).toBeLessThan(texts().indexOf("Hello N1"));
  expect(texts().toSorted()).toEqual(["Hello N0", "Hello N1", "Hello N2", "urgent"]);
});

test("a broadcast that the account's pace holds up for hours delays nothing urgent, to whomever it goes, and says which messages are its own", async () => {
  const paced = { status: "paced", wait_ms: 3_600_000 } as const;
  workers.shard.decide = ({ bulk, to }) =>
    bulk === true ? { ...paced, holds: to === chat(0) ? "first_contacts" : "everything" } : undefined;
  await serve();
  await start(20);
  await until(async () => (await workers.rows(business))[0]?.error_code === "paced", {
    what: "a message that waits for its pace",
  });
  await workers.queueMessage(business, chat(100), "code 1");
  await workers.queueMessage(business, chat(0), "code 2");
  await workers.producer.wake("send", { business_id: business });
  await until(() => workers.shard.deliveries.length === 3, { what: "the codes" });
  expect(texts().toSorted()).toEqual(["Hello N0", "code 1", "code 2"]);
  expect(texts().indexOf("Hello N0")).toBeLessThan(texts().indexOf("code 2"));
});

test("the urgent queue sends nothing of broadcasts, so that they never fill it", async () => {
  await workers.serve("high");
  const id = await draft(20);
  await moveBroadcast(scope(), id, "start");
  const broadcasts = await workers.serve("broadcasts");
  workers.shard.refuse = () => Response.json({ detail: "The session is not open." }, { status: 503 });
  await wake(id);
  await until(async () => (await workers.rows(business)).length === 20, { what: "the outbox" });
  await broadcasts.close(10_000);
  workers.shard.refuse = () => undefined;
  await workers.queueMessage(business, chat(9_999_999), "urgent");
  await workers.producer.wake("send", { business_id: business }, { expedite: true });
  await until(() => texts().includes("urgent"), { what: "the urgent message" });
  await until(() => workers.lines.some((line) => line["job"] === "send" && line["outcome"] === "done"), {
    what: "the run's end",
  });
  expect(texts()).toEqual(["urgent"]);
});

test("after Redis forgot everything the sweep brings a broadcast to its end", async () => {
  const id = await draft(30);
  await moveBroadcast(scope(), id, "start");
  await workers.redis.flushdb();
  await serve();
  await workers.sweep();
  await reached(id, "completed");
  expectEachOnce(30);
});

test("a recipient of an earlier version whose text is too long fails alone", async () => {
  const endpoint = await workers.endpoint(business, { events: ["message.failed"] });
  await serve();
  const id = await draft(3);
  await workers.database.owner`
    update broadcast_recipients set fields = jsonb_build_object('name', repeat('x', 70000)), text_length = null where chat = ${chat(1)}`;
  await moveBroadcast(scope(), id, "start");
  await wake(id);
  await reached(id, "completed");
  expect(texts()).toEqual(["Hello N0", "Hello N2"]);
  expect(await broadcastProgress(scope(), id)).toMatchObject({
    recipients: 3,
    pending: 0,
    messages: { sent: 2, failed: 1 },
  });
  const [, second] = await listRecipients(scope(), id, { after: 0, limit: 3 });
  expect(second).toMatchObject({ chat: chat(1), message_status: "failed", error_code: "text_too_long" });
  await until(() => endpoint.told.length === 1, { what: "the event" });
});

test("long texts are released a few at a time, all of them", async () => {
  await serve();
  const id = await draft(40, { text: `{{name}}${"x".repeat(60_000)}` });
  await moveBroadcast(scope(), id, "start");
  await wake(id);
  await reached(id, "completed");
  expect(texts().map((text) => text.slice(0, 3).replace("x", ""))).toEqual(
    Array.from({ length: 40 }, (_, n) => `N${n}`),
  );
});

test("the tables refuse a text of a broadcast that is too long", async () => {
  const id = await draft(1);
  const { owner } = workers.database;
  const queue = (length: number) => owner`
    insert into messages (id, business_id, direction, chat, type, text, wa_message_id, status, next_attempt_at, broadcast_id)
    values (${uuidv7()}, ${business}, 'outbound', ${chat(1)}, 'text', repeat('x', ${length}::integer), 'W', 'queued', now(), ${id})`;
  await queue(65_536);
  await expect(queue(65_537)).rejects.toThrow("messages_broadcast_text_is_bounded");
  const tooLong = [{ chat: chat(9), fields: {}, text_length: 65_537 }];
  await expect(addRecipients(scope(), id, tooLong)).rejects.toThrow();
});
