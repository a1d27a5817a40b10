import { beforeEach, describe, expect, test } from "bun:test";
import { whatsappMessageId } from "../../../../lib/core/ids.ts";
import { forBusiness, forPlatform, pendingMessages } from "../../../../lib/db/index.ts";
import { useHarness } from "../../testing/use_harness.ts";
import { sessionOf } from "../../testing/fake_shards.ts";
import { storeInbound } from "../../../../lib/testing/inbound.ts";

let id: string;
let messages: string;
const api = useHarness();
beforeEach(async () => {
  ({ id } = await api.business());
  await api.request("POST", `/v1/businesses/${id}/whatsapp/connect`, { body: { method: "qr" } });
  api.shards.sessions.set(id, sessionOf(id));
  messages = `/v1/businesses/${id}/messages`;
});

const to = "5511900000002";
const chat = `${to}@s.whatsapp.net`;
const group = "120363000000000001@g.us";

const post = (body: object) => api.request("POST", messages, { body: { to, ...body } });
const accepted = async (body: object): Promise<string> => {
  const answer = await post(body);
  expect([answer.status, answer.body.errors]).toEqual([202, undefined]);
  return answer.body.id;
};
const refused = async (body: object) => {
  const answer = await post(body);
  expect(answer.status).toBe(400);
  return answer.body.errors.map(({ field }: { field: string }) => field);
};

/** Stores a received message; returns its id. */
async function written(content: { text: string; sender?: string; in?: string; wa?: string }): Promise<string> {
  const { text, in: where = chat, sender = where, wa = "3A01" } = content;
  const message = {
    business_id: id,
    wa_message_id: wa,
    chat: where,
    sender,
    from_me: false,
    at: new Date(),
    type: "text",
    text,
  };
  const [row] = await storeInbound(forPlatform(api.database.db), [message]);
  return row!.id;
}

const outbox = async () => (await pendingMessages(forBusiness(api.database.db, id), { limit: 50 })).messages;

describe("message types", () => {
  test("are stored as the shard needs, shown as sent", async () => {
    const contents = [
      { type: "text", text: "hello" },
      { type: "location", latitude: -23.55, longitude: -46.63, name: "Padaria Aurora", address: "Rua A, 1" },
      { type: "contact", contacts: [{ name: "Ada", phones: ["5511900000009"] }] },
      { type: "poll", question: "When?", options: ["now", "later"], max_choices: 1 },
    ];
    const words = ["hello", "Padaria Aurora", "Ada", "When?"];
    for (const content of contents) await accepted(content);
    const stored = await outbox();
    expect(stored.map(({ content }) => content)).toEqual([null, ...contents.slice(1)] as never);
    const { body } = await api.request("GET", messages);
    expect(body.data.toReversed()).toMatchObject(
      contents.map((content, i) => ({ type: content.type, text: words[i], content })),
    );
  });

  test("reference messages by WhatsApp id and by id", async () => {
    const question = await written({ text: "where are you?" });
    const text = await accepted({ type: "text", text: "hullo" });
    const ours = { id: text, wa_message_id: whatsappMessageId(text), from_me: true };
    const theirs = { id: question, wa_message_id: "3A01", from_me: false, sender: chat };
    const sent: [object, object, object][] = [
      [
        { type: "text", text: "here", reply_to: question },
        { type: "text", text: "here", reply_to: { ...theirs, type: "text", text: "where are you?" } },
        { type: "text", text: "here", reply_to: question },
      ],
      [
        { type: "reaction", target: question, emoji: "👩‍🚀" },
        { type: "reaction", target: theirs, emoji: "👩‍🚀" },
        { type: "reaction", target: question, emoji: "👩‍🚀" },
      ],
      [
        { type: "edit", target: text, text: "hello" },
        { type: "edit", target: ours, text: "hello" },
        { type: "edit", target: text, text: "hello" },
      ],
      [
        { type: "delete", target: text },
        { type: "delete", target: ours },
        { type: "delete", target: text },
      ],
    ];
    for (const [request] of sent) await accepted(request);
    expect((await outbox()).slice(1).map(({ content }) => content)).toEqual(sent.map(([, stored]) => stored) as never);
    const { body } = await api.request("GET", `${messages}?direction=outbound&limit=4`);
    expect(body.data.toReversed().map(({ content }: { content: object }) => content)).toEqual(
      sent.map(([, , shown]) => shown),
    );
  });

  test("cannot quote messages of other chats or businesses", async () => {
    const elsewhere = await written({ text: "x", in: "5511900000003@s.whatsapp.net" });
    const other = await api.business();
    expect(await refused({ type: "reaction", target: elsewhere, emoji: "👍" })).toEqual(["target"]);
    expect(await refused({ type: "text", text: "x", reply_to: elsewhere })).toEqual(["reply_to"]);
    expect(await refused({ type: "text", text: "x", reply_to: other.id })).toEqual(["reply_to"]);
    expect(await outbox()).toEqual([]);
  });

  test("allow edits and deletions of own messages only", async () => {
    const theirs = await written({ text: "x" });
    expect(await refused({ type: "edit", target: theirs, text: "y" })).toEqual(["target"]);
    expect(await refused({ type: "delete", target: theirs })).toEqual(["target"]);
    const place = await accepted({ type: "location", latitude: 0, longitude: 0 });
    expect(await refused({ type: "edit", target: place, text: "y" })).toEqual(["target"]);
    const inGroup = await written({ text: "spam", in: group, sender: "5511900000004@s.whatsapp.net", wa: "3A02" });
    await accepted({ to: group, type: "delete", target: inGroup });
    expect((await outbox()).at(-1)?.content).toMatchObject({
      target: { from_me: false, sender: "5511900000004@s.whatsapp.net" },
    });
  });

  test("replay under the same Idempotency-Key", async () => {
    const headers = { "idempotency-key": "place-1" };
    const place = { to, type: "location", latitude: 1, longitude: 2 };
    const writtenDifferently = `{"longitude": 2.0, "latitude": 1, "type": "location", "to": "+${to}"}`;
    const first = await api.request("POST", messages, { headers, body: place });
    const again = await api.request("POST", messages, { headers, body: writtenDifferently });
    expect(again.body).toEqual(first.body);
    const other = await api.request("POST", messages, { headers, body: { ...place, longitude: 3 } });
    expect(other.status).toBe(422);
  });
});

test.each<[object, string[]]>([
  [{ type: "hologram" }, ["type"]],
  [{ type: "text", text: "x", texxt: "y" }, ["texxt"]],
  [{ type: "location", latitude: 91, longitude: 181 }, ["latitude", "longitude"]],
  [{ type: "contact", contacts: [] }, ["contacts"]],
  [{ type: "contact", contacts: [{ name: "Ada", phones: ["none"] }] }, ["contacts.0.phones.0"]],
  [{ type: "poll", question: "?", options: ["a", "a"] }, ["options"]],
  [{ type: "poll", question: "?", options: ["a", "b"], max_choices: 3 }, ["max_choices"]],
  [{ type: "reaction", target: "not an id", emoji: "👍👍" }, ["target", "emoji"]],
  [{ type: "edit", target: "0190b2a0-0000-7000-8000-000000000001", text: "" }, ["text"]],
])("rejects %j and names the fields", async (body, fields) => {
  expect((await refused(body)).toSorted()).toEqual(fields.toSorted());
});
