import { describe, expect, test } from "bun:test";
import { assignShard, forBusiness, forPlatform, upsertSessions } from "../../../lib/db/index.ts";
import { definitionOf, queueDepths } from "../../../lib/queues/index.ts";
import { queueOn } from "../../../lib/queues/connection.ts";
import { createRouterOver } from "../../../lib/routing/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { refusal, startTestShard } from "../testing/shard.ts";
import { useWorkers } from "../testing/workers.ts";

const stage = useWorkers();

const chat = (n: number) => `1555000${String(n).padStart(4, "0")}@s.whatsapp.net`;
const wake = () => stage.workers.producer.wake("send", { business_id: stage.business });
const statuses = async () => (await stage.workers.rows(stage.business)).map((row) => row.status);
const allAre = (status: string) =>
  until(async () => (await statuses()).every((one) => one === status), { what: `all messages ${status}` });
const drained = () => until(async () => !(await statuses()).includes("queued"), { what: "an empty outbox" });
const logged = (outcome: string) =>
  until(() => stage.workers.lines.find((line) => line["outcome"] === outcome), { what: `a run that is ${outcome}` });

async function serveAndWake(): Promise<void> {
  await stage.workers.serve("high");
  await wake();
}

async function fill(count: number, chats: number): Promise<void> {
  for (let i = 0; i < count; i++) await stage.workers.queueMessage(stage.business, chat(i % chats), `${i}`);
}

const sentTexts = () => stage.workers.shard.deliveries.map(({ text }) => text);
function expectEachOnceInOrder(count: number): void {
  expect(sentTexts()).toEqual(Array.from({ length: count }, (_, i) => `${i}`));
}

describe("send", () => {
  test("drains an outbox in order, in bounded batches", async () => {
    await fill(120, 7);
    await serveAndWake();
    await allAre("sent");
    expectEachOnceInOrder(120);
    expect(Math.max(...stage.workers.shard.batches.map(({ messages }) => messages.length))).toBe(50);
    const [row] = await stage.workers.rows(stage.business);
    expect(row).toMatchObject({ attempts: 1, next_attempt_at: null, error_code: null });
    expect(row!.sent_at).not.toBeNull();
  });

  test("continues with messages accepted in between", async () => {
    await stage.workers.serve("high");
    for (let i = 0; i < 60; i++) {
      await stage.workers.queueMessage(stage.business, chat(i % 3), `${i}`);
      void wake();
    }
    await wake();
    await allAre("sent");
    expectEachOnceInOrder(60);
  });

  test("fails an unpaired business's messages with advice", async () => {
    stage.workers.shard.refuse = () => refusal(409, "not paired");
    await fill(3, 1);
    await serveAndWake();
    await allAre("failed");
    expect((await stage.workers.rows(stage.business))[0]).toMatchObject({ error_code: "not_paired" });
  });

  test("one worker at a time sends for a business", async () => {
    let inside = 0;
    let most = 0;
    stage.workers.shard.beforeAnswer = async () => {
      most = Math.max(most, ++inside);
      await Bun.sleep(5);
      inside -= 1;
      return undefined;
    };
    await fill(120, 5);
    const high = await queueOn(stage.workers.redis, "high");
    for (let i = 0; i < 5; i++) await high.add("send", { business_id: stage.business });
    await stage.workers.serve("high");
    await allAre("sent");
    expect(most).toBe(1);
    expectEachOnceInOrder(120);
  });

  test("a run without its lease starts nothing new", async () => {
    const key = `prosaas:lease:send:${stage.business}`;
    const gate = Promise.withResolvers<undefined>();
    stage.workers.shard.beforeAnswer = () => gate.promise;
    await fill(80, 4);
    await serveAndWake();
    await until(() => stage.workers.shard.batches.length === 1, { what: "the first batch" });
    await stage.workers.redis.set(key, "another", "PX", 300);
    const isCounted = async () =>
      (await stage.workers.metrics.registry.metrics()).includes('prosaas_leases_lost_total{service="test"} 1');
    await until(isCounted, { what: "the loss to be noticed" });
    gate.resolve(undefined);
    await allAre("sent");
    expectEachOnceInOrder(80);
    expect(stage.workers.lines.find((line) => line["reason"] === "the lease expired")).toBeDefined();
  });

  test("the sweep wakes pending outboxes after a Redis flush", async () => {
    const others = await Promise.all(Array.from({ length: 5 }, () => stage.workers.business()));
    for (const id of others) await stage.workers.queueMessage(id, chat(1), "hello");
    for (const id of others) await stage.workers.producer.wake("send", { business_id: id });
    await stage.workers.redis.flushdb();
    await stage.workers.serve("high");
    await stage.workers.sweep();
    await until(() => stage.workers.shard.deliveries.length === others.length, { what: "every business's message" });
    expect(new Set(stage.workers.shard.deliveries.map((delivery) => delivery.business_id))).toEqual(new Set(others));
  });

  test.each([
    ["ten batches", 0, 500],
    ["half a second", 200, 150],
  ])("yields to other businesses after %s at most", async (_, batchMs, most) => {
    await fill(600, 5);
    stage.workers.shard.beforeAnswer = async () => {
      await Bun.sleep(batchMs);
      return undefined;
    };
    const other = await stage.workers.business();
    await stage.workers.queueMessage(other, chat(1), "short");
    await stage.workers.serve("high", { definition: { ...definitionOf("high"), concurrency: 1 } });
    await wake();
    await stage.workers.producer.wake("send", { business_id: other });
    await allAre("sent");
    const position = stage.workers.shard.deliveries.findIndex((delivery) => delivery.business_id === other);
    expect(position % 50).toBe(0);
    expect(position).toBeWithin(50, most + 1);
  });

  test("ignores a deleted business", async () => {
    await fill(1, 1);
    await stage.workers.database.owner`update businesses set deleted_at = now() where id = ${stage.business}`;
    await serveAndWake();
    await logged("done");
    expect(stage.workers.shard.batches).toEqual([]);
    expect((await queueDepths(stage.workers.redis, ["high"]))[0]).toMatchObject({ waiting: 0, delayed: 0, dead: 0 });
  });
});

describe("an unavailable shard", () => {
  test("messages wait for a closed session", async () => {
    let refusals = 0;
    stage.workers.shard.refuse = () => (refusals++ < 3 ? refusal(503, "The session is not open.") : undefined);
    await fill(10, 2);
    await serveAndWake();
    await allAre("sent");
    expectEachOnceInOrder(10);
    expect(refusals).toBe(4);
    const postponed = stage.workers.lines.filter((line) => line["outcome"] === "postponed");
    // On a busy machine the first step may use up the turn's time.
    const waits = postponed.filter((line) => line["reason"] !== "the turn is over");
    expect(waits.map((line) => line["reason"])).toEqual(Array.from({ length: 3 }, () => "The session is not open."));
    expect((await stage.workers.rows(stage.business)).every((row) => row.attempts === 1)).toBeTrue();
  });

  test("messages wait for a shard without an address", async () => {
    const address = stage.workers.addresses.get(1)!;
    stage.workers.addresses.delete(1);
    await fill(3, 1);
    await serveAndWake();
    await logged("postponed");
    expect(await statuses()).toEqual(["queued", "queued", "queued"]);
    stage.workers.addresses.set(1, address);
    await allAre("sent");
    expectEachOnceInOrder(3);
  });

  test("a batch with a lost answer is sent once", async () => {
    let lost = 0;
    stage.workers.shard.beforeAnswer = async () => (lost++ < 2 ? refusal(502, "The answer was lost.") : undefined);
    await fill(20, 3);
    await serveAndWake();
    await allAre("sent");
    expect(stage.workers.shard.batches.length).toBe(3);
    expectEachOnceInOrder(20);
  });

  test("waits for an unknown session only while paired", async () => {
    stage.workers.shard.refuse = () => refusal(404, "There is no such session.");
    await fill(2, 1);
    await serveAndWake();
    await logged("postponed");
    expect(await statuses()).toEqual(["queued", "queued"]);
    const now = new Date();
    const session = { shard: 1, status: "logged_out", phone: null, lid: null, name: null, reason: null };
    await upsertSessions(forPlatform(stage.workers.database.db), [
      { business_id: stage.business, paired: false, since: now, observed_at: now, ...session },
    ]);
    await allAre("failed");
  });

  test("a hanging shard leaves slots to other shards", async () => {
    const hanging = startTestShard();
    const gate = Promise.withResolvers<undefined>();
    hanging.beforeAnswer = () => gate.promise;
    stage.workers.addresses.set(2, { shard: 2, url: hanging.url });
    stage.workers.deps.router = createRouterOver(
      { addresses: stage.workers.addresses, ageMs: () => 0, ready: Promise.resolve() },
      () => 2,
    );
    const there = await Promise.all(
      Array.from({ length: definitionOf("high").concurrency }, () => stage.workers.business()),
    );
    for (const id of there) {
      await assignShard(forBusiness(stage.workers.database.db, id), 2);
      await stage.workers.queueMessage(id, chat(1), "anything");
    }
    await assignShard(forBusiness(stage.workers.database.db, stage.business), 1);
    await fill(1, 1);
    await stage.workers.serve("high");
    for (const id of there) await stage.workers.producer.wake("send", { business_id: id });
    await wake();
    // Before the requests to the hanging shard time out.
    await until(() => stage.workers.shard.deliveries.length === 1, {
      what: "the other shard's message",
      deadlineMs: 20_000,
    });
    expect(hanging.batches.length).toBeGreaterThan(0);
    gate.resolve(undefined);
    await until(() => hanging.deliveries.length === there.length, { what: "the rest" });
    await hanging.stop();
  });
});

describe("a refused message", () => {
  test("fails with WhatsApp's reason, alone", async () => {
    stage.workers.shard.decide = ({ text }) =>
      text === "3" ? { status: "failed", error: { code: "463", message: "The account is restricted." } } : undefined;
    await fill(6, 2);
    await serveAndWake();
    await drained();
    expect(await statuses()).toEqual(["sent", "sent", "sent", "failed", "sent", "sent"]);
    expect((await stage.workers.rows(stage.business))[3]).toMatchObject({
      error_code: "463",
      error_message: "The account is restricted.",
    });
  });

  test("blocks only its own chat while undecided", async () => {
    let tries = 0;
    stage.workers.shard.decide = ({ text }) => (text === "2" && tries++ < 2 ? { status: "retry" } : undefined);
    // Chats 0 and 1 take turns; message 2 is the second of chat 0.
    await fill(10, 2);
    await stage.workers.serve("high");
    await stage.workers.sweep();
    await wake();
    await allAre("sent");
    const of = (n: number) =>
      stage.workers.shard.deliveries.filter((delivery) => delivery.chat === chat(n)).map(({ text }) => text);
    expect(of(0)).toEqual(["0", "2", "4", "6", "8"]);
    expect(of(1)).toEqual(["1", "3", "5", "7", "9"]);
    expect(stage.workers.shard.deliveries.findIndex(({ text }) => text === "9")).toBeLessThan(
      stage.workers.shard.deliveries.findIndex(({ text }) => text === "2"),
    );
    expect((await stage.workers.rows(stage.business))[2]).toMatchObject({ attempts: 3 });
  });

  test("is isolated from its batch when invalid", async () => {
    stage.workers.shard.refuse = ({ messages }) =>
      messages.some(({ text }) => text === "17") ? refusal(400, "A message is not valid.") : undefined;
    await fill(40, 4);
    await serveAndWake();
    await drained();
    const rows = await stage.workers.rows(stage.business);
    expect(rows.filter((row) => row.status === "failed").map((row) => row.text)).toEqual(["17"]);
    expect(stage.workers.shard.deliveries.map(({ text }) => Number(text))).toEqual(
      Array.from({ length: 40 }, (_, i) => i).filter((i) => i !== 17),
    );
  });

  test("waits with its chat when the shard fails", async () => {
    let broken = true;
    stage.workers.shard.refuse = ({ messages }) =>
      broken && messages.some(({ text }) => text === "5") ? refusal(500, "A fault.") : undefined;
    await fill(12, 3);
    await stage.workers.serve("high");
    await stage.workers.sweep();
    await wake();
    const others = Array.from({ length: 12 }, (_, i) => `${i}`).filter(
      (text) => Number(text) % 3 !== 2 || text === "2",
    );
    await until(() => stage.workers.shard.deliveries.length === others.length, { what: "the other chats" });
    expect(sentTexts()).toEqual(others);
    broken = false;
    await allAre("sent");
    const last = stage.workers.shard.deliveries.filter(({ chat: of }) => of === chat(2)).map(({ text }) => text);
    expect(last).toEqual(["2", "5", "8", "11"]);
  });
});
