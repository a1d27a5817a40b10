import { describe, expect, test } from "bun:test";
import { uuidv7 } from "../../../lib/core/ids.ts";
import {
  addOptOut,
  addRecipients,
  atomically,
  broadcastProgress,
  listRecipients,
  changeBroadcastStatus,
} from "../../../lib/db/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { refusal } from "../testing/shard.ts";
import { useBroadcastStage } from "../testing/broadcasts.ts";

const stage = useBroadcastStage();
const { chat, draft, expectEachOnce, logged, reached, runEnded, scope, serve, start, texts, wake, wakeSends } = stage;

describe("recipients", () => {
  test("sends each recipient their text, in order", async () => {
    const endpoint = await stage.workers.endpoint(stage.business, { events: ["broadcast.status"] });
    await serve();
    const id = await start(120);
    await reached(id, "completed");
    expect(texts()).toEqual(Array.from({ length: 120 }, (_, n) => `Hello N${n}`));
    expect(await broadcastProgress(scope(), id)).toEqual({
      recipients: 120,
      pending: 0,
      opted_out: 0,
      duplicate: 0,
      messages: { sent: 120 },
    });
    const [first] = await listRecipients(scope(), id, { after: 0, limit: 1 });
    expect(first).toMatchObject({ chat: chat(0), status: "released", message_status: "sent" });
    await until(() => endpoint.received.length === 2, { what: "the events" });
    expect(endpoint.received.map(({ data }) => data["status"]).toSorted()).toEqual(["completed", "running"]);
    const liveEvents = () => stage.workers.liveEvents(stage.business, "broadcast.status");
    await until(async () => (await liveEvents()).length === 2, { what: "the live events" });
    expect(await liveEvents()).toEqual([
      { broadcast_id: id, status: "running" },
      { broadcast_id: id, status: "completed" },
    ]);
  });

  test("skips recipients who opted out", async () => {
    await addOptOut(scope(), chat(1));
    const id = await draft(4);
    await changeBroadcastStatus(scope(), id, "start");
    await addOptOut(scope(), chat(2));
    await serve();
    await wake(id);
    await reached(id, "completed");
    expect(texts()).toEqual(["Hello N0", "Hello N3"]);
    expect(await broadcastProgress(scope(), id)).toMatchObject({ recipients: 4, opted_out: 2, messages: { sent: 2 } });
  });

  test("drops queued messages of a later opt-out", async () => {
    await stage.workers.serve("broadcasts");
    // A batch with it was claimed before the opt-out.
    stage.workers.shard.refuse = ({ messages }) =>
      messages.some(({ to }) => to === chat(1)) ? refusal(503, "not now") : undefined;
    const id = await start(3);
    await until(async () => (await broadcastProgress(scope(), id)).messages.queued === 3, { what: "the release" });
    await addOptOut(scope(), chat(1));
    await wake(id);
    await wakeSends();
    await reached(id, "completed");
    expect(texts()).toEqual(["Hello N0", "Hello N2"]);
    const [, second] = await listRecipients(scope(), id, { after: 0, limit: 3 });
    expect(second).toMatchObject({ chat: chat(1), message_status: "failed", error_code: "opted_out" });
  });

  test("deduplicates recipients", async () => {
    const id = await draft(3);
    expect(
      await addRecipients(scope(), id, [
        { chat: chat(0), fields: { name: "again" }, text_length: 11 },
        { chat: chat(3), fields: { name: "N3" }, text_length: 8 },
      ]),
    ).toBe(1);
    await changeBroadcastStatus(scope(), id, "start");
    expect(await addRecipients(scope(), id, [{ chat: chat(4), fields: {}, text_length: 6 }])).toBeUndefined();
    await serve();
    await wake(id);
    await reached(id, "completed");
    expectEachOnce(4);
  });

  test("fails an overlong text of an earlier version alone", async () => {
    const endpoint = await stage.workers.endpoint(stage.business, { events: ["message.failed"] });
    await serve();
    const id = await draft(3);
    await stage.workers.database.owner`
      update broadcast_recipients set fields = jsonb_build_object('name', repeat('x', 70000)), text_length = null
      where chat = ${chat(1)}`;
    await changeBroadcastStatus(scope(), id, "start");
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
    await until(() => endpoint.received.length === 1, { what: "the event" });
  });

  test("releases long texts in small transactions", async () => {
    await serve();
    const id = await draft(40, { text: `{{name}}${"x".repeat(60_000)}` });
    await changeBroadcastStatus(scope(), id, "start");
    await wake(id);
    await reached(id, "completed");
    expect(texts().map((text) => text.slice(0, 3).replace("x", ""))).toEqual(
      Array.from({ length: 40 }, (_, n) => `N${n}`),
    );
  });

  test("bounds a broadcast's text in the tables", async () => {
    const id = await draft(1);
    const { owner } = stage.workers.database;
    const queue = (length: number) => owner`
      insert into messages (id, business_id, direction, chat, type, text, wa_message_id, status, next_attempt_at,
        broadcast_id)
      values (${uuidv7()}, ${stage.business}, 'outbound', ${chat(1)}, 'text', repeat('x', ${length}::integer),
        'W', 'queued', now(), ${id})`;
    await queue(65_536);
    await expect(queue(65_537)).rejects.toThrow("messages_broadcast_text_is_bounded");
    const tooLong = [{ chat: chat(9), fields: {}, text_length: 65_537 }];
    await expect(addRecipients(scope(), id, tooLong)).rejects.toThrow();
  });
});

describe("pause and cancel", () => {
  test("sends nothing while paused, each rest once", async () => {
    const gate = Promise.withResolvers<undefined>();
    stage.workers.shard.beforeAnswer = () => gate.promise;
    await serve();
    const id = await start(300);
    await until(() => stage.workers.shard.batches.length === 1, { what: "the first batch" });
    await changeBroadcastStatus(scope(), id, "pause");
    gate.resolve(undefined);
    const handedOver = stage.workers.shard.batches[0]!.messages.length;
    await until(async () => (await broadcastProgress(scope(), id)).messages.sent === handedOver, {
      what: "the batch in flight",
    });
    await runEnded(() => wake(id), { job: "broadcast", outcome: "done" });
    await runEnded(wakeSends, { job: "send_broadcasts" });
    expect(stage.workers.shard.deliveries.length).toBe(handedOver);
    expect((await broadcastProgress(scope(), id)).messages.queued).toBeGreaterThan(0);
    expect((await changeBroadcastStatus(scope(), id, "resume"))?.outcome).toBe("changed");
    await wake(id);
    await wakeSends();
    await reached(id, "completed");
    expectEachOnce(300);
  });

  test("a concurrent step does not undo a pause", async () => {
    let sending = false;
    const { send_broadcasts, ...others } = stage.workers.handlers;
    await stage.workers.serve("broadcasts", {
      handlers: { ...others, send_broadcasts: async (run) => (sending ? send_broadcasts(run) : {}) },
    });
    const id = await start(300);
    await until(async () => (await broadcastProgress(scope(), id)).messages.queued === 200, { what: "a full outbox" });
    await atomically(scope(), async (inner) => {
      // A step reads that the broadcast is running, and then waits to write.
      await inner.run((sql) => sql`lock table messages in share mode`);
      const { owner } = stage.workers.database;
      const isWaiting = async () =>
        (await owner`select from pg_locks where not granted and relation = 'messages'::regclass`).length > 0;
      await until(isWaiting, { what: "a step that is about to write" });
      await changeBroadcastStatus(inner, id, "pause");
    });
    await logged({ job: "broadcast", outcome: "done" }, "the steps' end");
    sending = true;
    await runEnded(wakeSends, { job: "send_broadcasts" });
    expect(stage.workers.shard.batches).toHaveLength(0);
  });

  test("fails the queued messages of a cancelled broadcast", async () => {
    const gate = Promise.withResolvers<undefined>();
    stage.workers.shard.beforeAnswer = () => gate.promise;
    const endpoint = await stage.workers.endpoint(stage.business, { events: ["message.failed"] });
    await serve();
    const id = await start(300);
    await until(() => stage.workers.shard.batches.length === 1, { what: "the first batch" });
    await changeBroadcastStatus(scope(), id, "cancel");
    await wake(id);
    gate.resolve(undefined);
    await until(async () => ((await broadcastProgress(scope(), id)).messages.queued ?? 0) === 0, {
      what: "an empty outbox",
    });
    const { messages, pending } = await broadcastProgress(scope(), id);
    expect(messages.sent).toBe(stage.workers.shard.deliveries.length);
    expect(messages.failed! + messages.sent! + pending).toBe(300);
    const failed = (await stage.workers.rows(stage.business)).filter((row) => row.status === "failed");
    expect(new Set(failed.map((row) => row.error_code))).toEqual(new Set(["broadcast_cancelled"]));
    await until(() => endpoint.received.length === failed.length, { what: "the events" });
    expect((await changeBroadcastStatus(scope(), id, "resume"))?.outcome).toBe("refused");
  });

  test("the sweep completes a broadcast after Redis was flushed", async () => {
    const id = await draft(30);
    await changeBroadcastStatus(scope(), id, "start");
    await stage.workers.redis.flushdb();
    await serve();
    await stage.workers.sweep();
    await reached(id, "completed");
    expectEachOnce(30);
  });
});
