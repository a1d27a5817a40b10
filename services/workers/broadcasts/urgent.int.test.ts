import { describe, expect, test } from "bun:test";
import { changeBroadcastStatus } from "../../../lib/db/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { refusal } from "../testing/shard.ts";
import { useBroadcastStage } from "../testing/broadcasts.ts";

const stage = useBroadcastStage();
const { chat, draft, logged, reached, scope, serve, start, texts, wake, wakeSends } = stage;

describe("broadcast and urgent messages", () => {
  test("an urgent message overtakes the broadcast's batch", async () => {
    const gate = Promise.withResolvers<void>();
    stage.workers.shard.beforeAnswer = async ({ messages }) => {
      if (messages.some(({ text }) => text?.startsWith("Hello"))) await gate.promise;
      return undefined;
    };
    await serve();
    await start(200);
    await until(() => stage.workers.shard.batches.length === 1, { what: "the broadcast's first batch" });
    expect(stage.workers.shard.batches[0]!.messages.length).toBe(5);
    await stage.workers.queueMessage(stage.business, chat(9_999_999), "code 4711");
    await stage.workers.producer.wake("send", { business_id: stage.business });
    const urgent = async () =>
      (await stage.workers.rows(stage.business)).find(({ text }) => text === "code 4711")?.status;
    await until(async () => (await urgent()) === "sent", { what: "the urgent message" });
    expect(stage.workers.shard.batches.map(({ messages }) => messages.length)).toEqual([5, 1]);
    gate.resolve();
  });

  test("keep their order where the broadcast came first", async () => {
    await stage.workers.serve("broadcasts");
    stage.workers.shard.refuse = () => refusal(503, "The session is not open.");
    await start(50);
    await until(async () => (await stage.workers.rows(stage.business)).length === 50, { what: "the outbox" });
    await stage.workers.queueMessage(stage.business, chat(40), "code 4711");
    // From here on the shard blocks the broadcast's batches, perhaps the one with number 40.
    const gate = Promise.withResolvers<void>();
    stage.workers.shard.refuse = () => undefined;
    stage.workers.shard.beforeAnswer = async ({ messages }) => {
      if (messages.every(({ text }) => text !== "code 4711")) await gate.promise;
      return undefined;
    };
    await stage.workers.serve("high");
    await stage.workers.producer.wake("send", { business_id: stage.business });
    const urgent = await until(
      () => stage.workers.shard.batches.find(({ messages }) => messages.some(({ text }) => text === "code 4711")),
      {
        what: "the urgent message's batch",
      },
    );
    expect(urgent.messages.map(({ text }) => text)).toEqual(["Hello N40", "code 4711"]);
    gate.resolve();
    await wakeSends();
    await until(() => stage.workers.shard.deliveries.length === 51, { what: "the rest" });
    const inChat = stage.workers.shard.deliveries.filter((delivery) => delivery.chat === chat(40));
    expect(inChat.map(({ text }) => text)).toEqual(["Hello N40", "code 4711"]);
  });

  test("keep their order where the urgent one came first", async () => {
    await stage.workers.queueMessage(stage.business, chat(1), "urgent");
    await stage.workers.serve("broadcasts");
    const id = await start(3);
    await reached(id, "completed");
    expect(texts().indexOf("urgent")).toBeLessThan(texts().indexOf("Hello N1"));
    expect(texts().toSorted()).toEqual(["Hello N0", "Hello N1", "Hello N2", "urgent"]);
  });

  test("a paced broadcast delays no urgent message", async () => {
    const paced = { status: "paced", wait_ms: 3_600_000 } as const;
    stage.workers.shard.decide = ({ bulk, to }) =>
      bulk === true ? { ...paced, holds: to === chat(0) ? "first_contacts" : "everything" } : undefined;
    await serve();
    await start(20);
    await until(async () => (await stage.workers.rows(stage.business))[0]?.wait_reason === "pacing", {
      what: "a message that waits for its pace",
    });
    await stage.workers.queueMessage(stage.business, chat(100), "code 1");
    await stage.workers.queueMessage(stage.business, chat(0), "code 2");
    await stage.workers.producer.wake("send", { business_id: stage.business });
    await until(() => stage.workers.shard.deliveries.length === 3, { what: "the codes" });
    expect(texts().toSorted()).toEqual(["Hello N0", "code 1", "code 2"]);
    expect(texts().indexOf("Hello N0")).toBeLessThan(texts().indexOf("code 2"));
  });

  test("the urgent queue sends no broadcast message", async () => {
    await stage.workers.serve("high");
    const id = await draft(20);
    await changeBroadcastStatus(scope(), id, "start");
    const broadcasts = await stage.workers.serve("broadcasts");
    stage.workers.shard.refuse = () => Response.json({ detail: "The session is not open." }, { status: 503 });
    await wake(id);
    await until(async () => (await stage.workers.rows(stage.business)).length === 20, { what: "the outbox" });
    await broadcasts.close(10_000);
    stage.workers.shard.refuse = () => undefined;
    await stage.workers.queueMessage(stage.business, chat(9_999_999), "urgent");
    await stage.workers.producer.wake("send", { business_id: stage.business }, { expedite: true });
    await until(() => texts().includes("urgent"), { what: "the urgent message" });
    await logged({ job: "send", outcome: "done" }, "the run's end");
    expect(texts()).toEqual(["urgent"]);
  });
});
