import { describe, expect, test } from "bun:test";
import { whatsappMessageId } from "../../../lib/core/ids.ts";
import { threadCpuMs } from "../../../lib/testing/cpu_time.ts";
import { until } from "../../../lib/testing/until.ts";
import { referenceIn, storedContent } from "../../../lib/messages/index.ts";
import type { MessageContent } from "../../../lib/messages/index.ts";
import type { InboundData } from "../../../lib/contracts/shard/index.ts";
import { useWorkers } from "../testing/workers.ts";

const stage = useWorkers();

const chat = "15550002222@s.whatsapp.net";
const own = "15550009999@s.whatsapp.net";
const group = "120363000000000001@g.us";
const [ada, bo] = ["15550001111@s.whatsapp.net", "15550003333@s.whatsapp.net"];
const events = ["message.received", "message.completed", "message.sent_from_phone"];
let at = 1_760_000_000_000;

function append(wa_message_id: string, content: MessageContent, more: Partial<InboundData> = {}) {
  const timestamp = (at += 1000);
  const entry = { wa_message_id, chat, sender: chat, from_me: false, push_name: "Ada", timestamp };
  stage.workers.shard.append("inbound", stage.business, { ...entry, ...storedContent(content), ...more });
  return timestamp;
}

async function drain() {
  await stage.workers.serve("high");
  await stage.workers.producer.wake("inbound", { shard: 1 });
  await until(() => stage.workers.shard.unacknowledged("inbound") === 0, { what: "an empty journal" });
  return stage.workers.rows(stage.business);
}
const target = (wa_message_id: string, more = {}) => ({ wa_message_id, from_me: false, ...more });
describe("a message whose content arrives later", () => {
  test.each(["unavailable", "unknown"] as const)("is one row with two events: %s", async (type) => {
    const endpoint = await stage.workers.endpoint(stage.business, { events, ordered: true });
    const content: MessageContent = type === "unknown" ? { type, kind: "field 150" } : { type, reason: "not_resent" };
    const timestamp = append("M1", content);
    append("M2", { type: "text", text: "next" });
    const [before] = await drain();
    expect(before).toMatchObject({ type, text: null });
    append("M1", { type: "text", text: "the first word" }, { timestamp });
    append("M1", content, { timestamp });
    const rows = await drain();
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatchObject({ id: before!.id, type: "text", text: "the first word" });
    await until(() => endpoint.received.length === 3, { what: "three deliveries" });
    expect(endpoint.received.map(({ type: name, data }) => [name, data["type"]])).toEqual([
      ["message.received", type],
      ["message.received", "text"],
      ["message.completed", "text"],
    ]);
  });

  test("is announced once if both come together", async () => {
    const endpoint = await stage.workers.endpoint(stage.business, { events });
    const timestamp = append("M1", { type: "text", text: "the first word" });
    append("M1", { type: "unavailable", reason: "not_resent" }, { timestamp });
    const rows = await drain();
    expect(rows).toMatchObject([{ type: "text", text: "the first word" }]);
    await until(() => endpoint.received.length === 1, { what: "the delivery" });
    expect(endpoint.received).toMatchObject([{ type: "message.received", data: { text: "the first word" } }]);
  });
});

describe("a message that a person wrote on the business's phone", () => {
  test("is announced, unlike one sent through the API", async () => {
    const endpoint = await stage.workers.endpoint(stage.business, { events });
    const sent = whatsappMessageId(await stage.workers.queueMessage(stage.business, chat, "by the bot"));
    const mine = { from_me: true, sender: own };
    append(sent, { type: "text", text: "by the bot" }, mine);
    append("P1", { type: "text", text: "I take over" }, mine);
    await drain();
    await until(() => endpoint.received.length === 1, { what: "the delivery" });
    expect(endpoint.received).toMatchObject([
      { type: "message.sent_from_phone", data: { chat, sender: own, text: "I take over" } },
    ]);
  });
});

describe("edits, deletions and reactions", () => {
  test("show in the message that they are about", async () => {
    append("M1", { type: "text", text: "hullo" });
    append("M2", { type: "edit", target: target("M1"), text: "hello" });
    append("M3", { type: "reaction", target: target("M1"), emoji: "👍" });
    append("M4", { type: "reaction", target: target("M1"), emoji: "🙏" }, { from_me: true, sender: own });
    await drain();
    append("M5", { type: "edit", target: target("M1"), text: "hello!" });
    const deletedAt = append("M6", { type: "delete", target: target("M1") });
    const [first] = await drain();
    expect(first).toMatchObject({ text: "hello!", deleted_at: new Date(deletedAt) });
    expect(first!.edits).toMatchObject([{ text: "hullo", at: null }, { text: "hello" }]);
    expect(first!.reactions).toMatchObject([
      { sender: chat, emoji: "👍" },
      { sender: null, emoji: "🙏" },
    ]);
  });

  test("of others' messages change nothing and are counted", async () => {
    const inGroup = (sender: string) => ({ chat: group, sender });
    append("G1", { type: "text", text: "we pay by invoice" }, inGroup(ada));
    append("X1", { type: "edit", target: target("G1", { sender: bo }), text: "forged" }, inGroup(bo));
    append("X2", { type: "delete", target: target("G1", { sender: bo }) }, inGroup(bo));
    append("X3", { type: "edit", target: target("G1"), text: "forged in another chat" });
    append("X4", { type: "reaction", target: target("G1"), emoji: "👍" });
    append("G2", { type: "delete", target: target("G1", { sender: ada }), by_administrator: true }, inGroup(bo));
    const rows = await drain();
    expect(rows.map(({ wa_message_id }) => wa_message_id)).toEqual(["G1", "X1", "X2", "X3", "X4", "G2"]);
    expect(rows.slice(1, 3).map(({ content }) => content && referenceIn(content)?.id)).toEqual([undefined, undefined]);
    expect(rows[0]).toMatchObject({ text: "we pay by invoice", edits: null, reactions: null });
    expect(rows[0]!.deleted_at).not.toBeNull();
    // A message of another chat is not referred to.
    expect(rows[3]!.content).toMatchObject({ target: { wa_message_id: "G1" } });
    expect(await stage.workers.metrics.registry.metrics()).toContain("prosaas_journal_forged_changes_total");
  });

  test.each(["one batch", "two batches"])("survive a reused message id in %s", async (batches) => {
    const inGroup = (sender: string) => ({ chat: group, sender });
    append("G1", { type: "text", text: "we pay by invoice" }, inGroup(ada));
    if (batches === "two batches") await drain();
    append("G1", { type: "text", text: "the same id" }, inGroup(bo));
    append("E1", { type: "edit", target: target("G1"), text: "we pay by card" }, inGroup(ada));
    append("R1", { type: "reaction", target: target("G1", { sender: ada }), emoji: "👍" }, inGroup(bo));
    append("D1", { type: "delete", target: target("G1") }, inGroup(ada));
    const [first, second] = await drain();
    expect(first).toMatchObject({ text: "we pay by card", reactions: [{ sender: bo, emoji: "👍" }] });
    expect(first!.deleted_at).not.toBeNull();
    expect(second).toMatchObject({ text: "the same id", deleted_at: null, reactions: null });
  });

  test("cost little if thousands share an id", async () => {
    const writtenBy = (sender: string) => ({ chat: group, sender });
    for (let n = 0; n < 5_000; n++) append("M1", { type: "text", text: `${n}` }, writtenBy(`1555${n}@s.whatsapp.net`));
    expect(await drain()).toHaveLength(5_000);
    for (let n = 0; n < 500; n++)
      append(`R${n}`, { type: "reaction", target: target("M1"), emoji: "👍" }, writtenBy(ada));
    const before = threadCpuMs();
    const [first] = await drain();
    expect(threadCpuMs() - before).toBeLessThan(3_000);
    expect(first).toMatchObject({ text: "0", reactions: [{ sender: ada, emoji: "👍" }] });
  });

  test("cost one row each and one update a batch", async () => {
    append("M1", { type: "text", text: "hello" });
    for (let n = 0; n < 700; n++) append(`R${n}`, { type: "reaction", target: target("M1"), emoji: `${n}` });
    const [first] = await drain();
    expect(first!.reactions).toMatchObject([{ sender: chat, emoji: "699" }]);
  });

  test("that the business sends show once accepted", async () => {
    append("M1", { type: "text", text: "good morning" });
    const [first] = await drain();
    const about = target("M1", { id: first!.id });
    await stage.workers.queueMessage(
      stage.business,
      chat,
      storedContent({ type: "reaction", target: about, emoji: "☀️" }),
    );
    await stage.workers.producer.wake("send", { business_id: stage.business });
    await until(async () => (await stage.workers.rows(stage.business))[0]!.reactions !== null, {
      what: "the reaction",
    });
    expect((await stage.workers.rows(stage.business))[0]!.reactions).toMatchObject([{ sender: null, emoji: "☀️" }]);
  });
});
