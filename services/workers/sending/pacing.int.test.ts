import { describe, expect, test } from "bun:test";
import { uuidv7 } from "../../../lib/core/ids.ts";
import {
  addRecipients,
  beginBroadcast,
  forBusiness,
  insertBroadcast,
  changeBroadcastStatus,
  releaseRecipients,
  setPacing,
} from "../../../lib/db/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { useWorkers } from "../testing/workers.ts";

const stage = useWorkers();

const chat = (n: number) => `1555000${String(n).padStart(4, "0")}@s.whatsapp.net`;
const send = async () => {
  await stage.workers.serve("high");
  await stage.workers.producer.wake("send", { business_id: stage.business });
};
const delivered = () => stage.workers.shard.deliveries.map(({ text }) => text);
const postponed = () => stage.workers.lines.filter((line) => line["outcome"] === "postponed");

/** Puts what a broadcast has for these chats into the outbox. */
async function release(chats: string[]): Promise<void> {
  const scope = forBusiness(stage.workers.database.db, stage.business);
  const id = uuidv7();
  const quiet = { quiet_from: null, quiet_to: null };
  await insertBroadcast(scope, {
    id,
    name: "Sale",
    text: "offer",
    time_zone: null,
    scheduled_at: null,
    ...quiet,
    per_minute: 60_000,
  });
  await addRecipients(
    scope,
    id,
    chats.map((one) => ({ chat: one, fields: {}, text_length: 5 })),
  );
  await changeBroadcastStatus(scope, id, "start");
  await beginBroadcast(scope, id);
  const at = { nextReleaseAt: () => new Date(), textFor: () => ({ text: "offer" }) };
  await releaseRecipients(scope, { broadcastId: id, limit: 100, maxLength: 1_000, ...at });
}

describe("a paced account", () => {
  test("sends one by one without counting attempts", async () => {
    let next = 0;
    stage.workers.shard.decide = () => {
      const now = Date.now();
      if (now < next) return { status: "paced", wait_ms: next - now, holds: "everything" };
      next = now + 40;
      return { status: "sent" };
    };
    for (let i = 0; i < 8; i++) await stage.workers.queueMessage(stage.business, chat(i % 3), `${i}`);
    await send();
    await until(() => stage.workers.shard.deliveries.length === 8, { what: "all messages" });
    expect(delivered()).toEqual(["0", "1", "2", "3", "4", "5", "6", "7"]);
    await until(async () => (await stage.workers.rows(stage.business)).every(({ status }) => status === "sent"), {
      what: "the results",
    });
    expect((await stage.workers.rows(stage.business)).map(({ attempts }) => attempts)).toEqual(Array(8).fill(1));
  });

  test("occupies no worker while it waits", async () => {
    stage.workers.shard.decide = () => ({ status: "paced", wait_ms: 3_600_000, holds: "everything" });
    await stage.workers.queueMessage(stage.business, chat(1), "later");
    const other = await stage.workers.business();
    await send();
    await until(() => postponed().length > 0, { what: "the postponed run" });
    expect(postponed()[0]).toMatchObject({ reason: "the account is paced" });
    expect((await stage.workers.rows(stage.business))[0]).toMatchObject({
      status: "queued",
      attempts: 0,
      error_code: null,
    });
    stage.workers.shard.decide = () => undefined;
    await stage.workers.queueMessage(other, chat(2), "at once");
    await stage.workers.producer.wake("send", { business_id: other });
    await until(() => delivered().includes("at once"), { what: "the other business's message" });
    expect(delivered()).not.toContain("later");
  });

  test("hands its current limits over with each batch", async () => {
    const settings: unknown[] = [];
    stage.workers.shard.refuse = (batch) => {
      settings.push(batch.pacing);
      return undefined;
    };
    await stage.workers.queueMessage(stage.business, chat(1), "one");
    await send();
    await until(() => stage.workers.lines.some((line) => line["job"] === "send" && line["outcome"] === "done"), {
      what: "the first run's end",
    });
    await setPacing(forBusiness(stage.workers.database.db, stage.business), { messages_per_minute: 7 });
    await stage.workers.queueMessage(stage.business, chat(1), "two");
    await stage.workers.producer.wake("send", { business_id: stage.business });
    await until(() => delivered().length === 2, { what: "the second message" });
    expect(settings).toEqual([null, { messages_per_minute: 7 }]);
  });

  test("announces a lasting limit once, and no pace", async () => {
    const endpoint = await stage.workers.endpoint(stage.business, { events: ["session.limited"] });
    stage.workers.shard.decide = () => ({ status: "paced", wait_ms: 30_000, holds: "first_contacts" });
    await stage.workers.queueMessage(stage.business, chat(1), "paced");
    await send();
    await until(async () => (await stage.workers.rows(stage.business))[0]?.wait_reason === "pacing", {
      what: "the pace",
    });
    stage.workers.shard.decide = () => ({ status: "paced", wait_ms: 3_600_000, holds: "everything" });
    for (const n of [2, 3]) {
      await stage.workers.queueMessage(stage.business, chat(n), "limited");
      await stage.workers.producer.wake("send", { business_id: stage.business }, { expedite: true });
      await until(() => postponed().filter(({ reason }) => reason === "the account is paced").length >= n - 1, {
        what: "the limit",
      });
    }
    await until(() => endpoint.received.length > 0, { what: "the event" });
    expect(await stage.workers.deliveries(endpoint.id)).toHaveLength(1);
    expect(endpoint.received.map(({ data }) => data)).toMatchObject([
      { business_id: stage.business, holds: "everything" },
    ]);
    expect(Date.parse(String(endpoint.received[0]!.data["until"])) - Date.now()).toBeWithin(3_500_000, 3_600_001);
  });
});

describe("new chats", () => {
  test("wait while other chats continue", async () => {
    let open = false;
    stage.workers.shard.decide = ({ to }) =>
      to === chat(0) && !open ? { status: "paced", wait_ms: 3_600_000, holds: "first_contacts" } : undefined;
    for (let i = 0; i < 6; i++) await stage.workers.queueMessage(stage.business, chat(i % 2), `${i}`);
    await send();
    await until(() => stage.workers.shard.deliveries.length === 3, { what: "the other chat" });
    expect(delivered()).toEqual(["1", "3", "5"]);
    await until(async () => (await stage.workers.rows(stage.business))[0]?.wait_reason === "pacing", {
      what: "the result",
    });
    const [first] = await stage.workers.rows(stage.business);
    expect(first).toMatchObject({ status: "queued", attempts: 0 });
    expect(Date.parse(String(first!.next_attempt_at))).toBeGreaterThan(Date.now() + 3_000_000);

    open = true;
    await setPacing(forBusiness(stage.workers.database.db, stage.business), { enabled: false });
    await stage.workers.producer.wake("send", { business_id: stage.business }, { expedite: true });
    await until(() => stage.workers.shard.deliveries.length === 6, { what: "the chat that waited" });
    expect(delivered().slice(3)).toEqual(["0", "2", "4"]);
  });

  test("are released by a message from the other side", async () => {
    const acquainted = new Set<string>();
    stage.workers.shard.decide = ({ to }) =>
      acquainted.has(to) ? undefined : { status: "paced", wait_ms: 3_600_000, holds: "first_contacts" };
    await release([chat(0), chat(1)]);
    for (const n of [2, 3]) await stage.workers.queueMessage(stage.business, chat(n), "hello");
    await stage.workers.serve("broadcasts");
    await stage.workers.producer.wake("send_broadcasts", { business_id: stage.business });
    await send();
    await until(
      async () => (await stage.workers.rows(stage.business)).every(({ wait_reason }) => wait_reason === "pacing"),
      {
        what: "the pace",
      },
    );
    for (const n of [0, 2]) {
      acquainted.add(chat(n));
      const said = {
        chat: chat(n),
        sender: chat(n),
        from_me: false,
        timestamp: Date.now(),
        type: "text",
        text: "the code, please",
      };
      stage.workers.shard.append("inbound", stage.business, { wa_message_id: `IN${n}`, ...said });
    }
    await stage.workers.producer.wake("inbound", { shard: 1 });
    await until(() => stage.workers.shard.deliveries.length === 2, { what: "what waited for these chats" });
    await stage.workers.queueMessage(stage.business, chat(2), "code");
    await stage.workers.producer.wake("send", { business_id: stage.business });
    await until(() => stage.workers.shard.deliveries.length === 3, { what: "the reply" });
    expect(
      stage.workers.shard.deliveries.filter((delivery) => delivery.chat === chat(2)).map(({ text }) => text),
    ).toEqual(["hello", "code"]);
    expect(delivered().toSorted()).toEqual(["code", "hello", "offer"]);
  });
});

describe("a paced broadcast", () => {
  test("delays no urgent message", async () => {
    const chats = Array.from({ length: 30 }, (_, n) => chat(n));
    await release(chats);
    for (const one of chats) await stage.workers.queueMessage(stage.business, one, "code");
    stage.workers.shard.decide = ({ bulk }) =>
      bulk === true ? { status: "paced", wait_ms: 3_600_000, holds: "everything" } : undefined;
    await send();
    await until(() => delivered().filter((text) => text === "code").length === chats.length, { what: "every code" });
  });
});
