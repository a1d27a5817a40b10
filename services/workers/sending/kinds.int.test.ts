import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import type { InboundData } from "../../../lib/contracts/shard/index.ts";
import { storedContent } from "../../../lib/messages/index.ts";
import type { MessageContent } from "../../../lib/messages/index.ts";
import { useWorkers } from "../testing/workers.ts";

const stage = useWorkers();

const chat = "15550000001@s.whatsapp.net";
let at = 1_700_000_000_000;
const inbound = (wa_message_id: string, content: MessageContent, more: Partial<InboundData> = {}) =>
  stage.workers.shard.append("inbound", stage.business, {
    wa_message_id,
    chat,
    sender: chat,
    from_me: false,
    timestamp: (at += 1000),
    ...storedContent(content),
    ...more,
  });

/** The rows of the business, once there are so many. */
async function drained(count: number) {
  await stage.workers.serve("high");
  await stage.workers.producer.wake("inbound", { shard: 1 });
  return until(
    async () => ((rows) => (rows.length === count ? rows : undefined))(await stage.workers.rows(stage.business)),
    {
      what: `${count} rows`,
    },
  );
}

describe("message kinds", () => {
  test("hands every kind to the shard as stored", async () => {
    const target = { wa_message_id: "3A01", from_me: false, sender: chat };
    const contents: MessageContent[] = [
      { type: "text", text: "plain" },
      { type: "text", text: "yes", reply_to: { ...target, text: "coming?" } },
      { type: "poll", question: "When?", options: ["now", "later"], max_choices: 1 },
      { type: "reaction", target, emoji: "👍" },
    ];
    for (const content of contents) await stage.workers.queueMessage(stage.business, chat, storedContent(content));
    await stage.workers.serve("high");
    await stage.workers.producer.wake("send", { business_id: stage.business });
    await until(() => stage.workers.shard.batches[0]?.messages.length === contents.length, { what: "the batch" });
    expect(
      stage.workers.shard.batches[0]!.messages.map(({ id: _id, wa_message_id: _wa, to, ...content }) => ({
        to,
        content,
      })),
    ).toEqual(contents.map((content) => ({ to: chat, content })) as never);
  });

  test("stores received content and resolves its references", async () => {
    const about = { wa_message_id: "3A01", from_me: false };
    inbound("3A01", { type: "text", text: "coming?" });
    inbound("3A02", { type: "text", text: "yes", reply_to: { ...about, text: "coming?" } });
    inbound("3A03", { type: "edit", target: about, text: "are you coming?" });
    const [first] = await drained(3);
    inbound("3A04", { type: "reaction", target: about, emoji: "👍" });
    inbound("3A05", { type: "delete", target: { wa_message_id: "no one has it", from_me: true } });
    const rows = await drained(5);
    expect(rows.map(({ type, text, content }) => ({ type, text, content }))).toEqual([
      { type: "text", text: "are you coming?", content: null },
      {
        type: "text",
        text: "yes",
        content: { type: "text", text: "yes", reply_to: { ...about, id: first!.id, text: "coming?" } },
      },
      {
        type: "edit",
        text: "are you coming?",
        content: { type: "edit", text: "are you coming?", target: { ...about, id: first!.id } },
      },
      { type: "reaction", text: "👍", content: { type: "reaction", emoji: "👍", target: { ...about, id: first!.id } } },
      {
        type: "delete",
        text: null,
        content: { type: "delete", target: { wa_message_id: "no one has it", from_me: true } },
      },
    ]);
  });

  test("keeps unknown content and continues", async () => {
    inbound("3A01", { type: "unknown", kind: "orderMessage" });
    inbound("3A02", { type: "unknown" }, { type: "hologram", content: { type: "hologram", beams: 3 } as never });
    inbound("3A03", { type: "text", text: "after it" });
    const rows = await drained(3);
    expect(rows.map(({ type, content }) => ({ type, content }))).toEqual([
      { type: "unknown", content: { type: "unknown", kind: "orderMessage" } },
      { type: "hologram", content: null },
      { type: "text", content: null },
    ]);
  });
});
