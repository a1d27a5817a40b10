import { describe, expect, test } from "bun:test";
import { storedContent } from "../../../lib/messages/index.ts";
import type { InboundData } from "../../../lib/contracts/shard/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { useWorkers } from "../testing/workers.ts";

const stage = useWorkers();

const [number, lid] = ["15550000001@s.whatsapp.net", "777@lid"];
let at = 1_700_000_000_000;
const receive = (wa_message_id: string, chat: string, more: Partial<InboundData> = {}) =>
  stage.workers.shard.append("inbound", stage.business, {
    wa_message_id,
    chat,
    sender: chat,
    from_me: false,
    timestamp: (at += 1000),
    ...storedContent({ type: "text", text: wa_message_id }),
    ...more,
  });
const serve = async () => {
  await stage.workers.serve("high");
  await stage.workers.serve("default");
};
const drain = async (job: "inbound" | "identities") => {
  await stage.workers.producer.wake(job, { shard: 1 });
  await until(() => stage.workers.shard.unacknowledged(job) === 0, { what: `the ${job} to be drained` });
};
const chats = async () => (await stage.workers.rows(stage.business)).map(({ text, chat }) => [text, chat]);
const oneChat = (count: number) =>
  until(
    async () => {
      const rows = await chats();
      return rows.length === count && rows.every(([, chat]) => chat === number);
    },
    { what: "one chat" },
  );

describe("an account's chats", () => {
  test("are merged after a message names both", async () => {
    const endpoint = await stage.workers.endpoint(stage.business, { events: ["chat.merged", "message.received"] });
    await serve();
    receive("first", lid);
    await drain("inbound");
    expect(await chats()).toEqual([["first", lid]]);
    // The endpoint receives the events of different chats in any order.
    await until(() => endpoint.received.length === 1, { what: "the first event" });
    const names = [{ alias: lid, chat: number }];
    receive("first", number, { names, timestamp: at });
    receive("second", number, { names });
    await drain("inbound");
    await oneChat(2);
    await until(() => endpoint.received.length === 3, { what: "the events" });
    const ofName = (name: string) => endpoint.received.filter(({ type }) => type === name).map(({ data }) => data);
    expect(ofName("chat.merged")).toMatchObject([{ chat: number, alias: lid, messages: 1 }]);
    expect(ofName("message.received").map(({ text }) => text)).toEqual(["first", "second"]);
  });

  test("are merged after a shard reports names", async () => {
    await serve();
    receive("first", lid);
    await drain("inbound");
    stage.workers.shard.append("identities", stage.business, { names: [{ alias: lid, chat: number }] });
    await drain("identities");
    receive("reply", lid, {
      ...storedContent({ type: "text", text: "reply", reply_to: { wa_message_id: "first", from_me: false } }),
    });
    await drain("inbound");
    await oneChat(2);
    const [first, reply] = await stage.workers.rows(stage.business);
    expect(reply).toMatchObject({ sender: number, content: { reply_to: { id: first!.id } } });
  });

  test("send queued messages to the reported account", async () => {
    stage.workers.shard.decide = ({ to }) => (to === number ? undefined : { status: "retry", account: number });
    const [one, two] = [
      await stage.workers.queueMessage(stage.business, lid, "one"),
      await stage.workers.queueMessage(stage.business, number, "two"),
    ];
    await serve();
    await stage.workers.producer.wake("send", { business_id: stage.business });
    await until(async () => (await stage.workers.rows(stage.business)).every(({ status }) => status === "sent"), {
      what: "both messages to be sent",
    });
    expect(stage.workers.shard.deliveries.map(({ chat }) => chat)).toEqual([number, number]);
    const rows = await stage.workers.rows(stage.business);
    expect(rows.map(({ id, attempts }) => [id, attempts])).toEqual([
      [one, 1],
      [two, 1],
    ]);
    await oneChat(2);
  });
});
