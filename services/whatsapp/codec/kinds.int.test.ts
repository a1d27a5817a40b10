import { beforeEach, describe, expect, test } from "bun:test";
import { contentOf } from "../../../lib/messages/index.ts";
import type { OutboundContent } from "../../../lib/messages/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control, message, text } from "../testing/shard_under_test.ts";
import type { Simulator } from "../testing/shard_under_test.ts";

const scenario = shardScenario();
const { shard } = scenario;
let simulator: Simulator;
let business: string;
let phone: string;
let contact: string;

beforeEach(async () => {
  ({ simulator, business, phone, contact } = scenario);
  await shard.pair(simulator, business, phone);
});

type Shown = { id: string; type: string; from_me: boolean } & Record<string, unknown>;

/** The messages that a phone shows, once there are `count`. */
const shown = (number: string, count: number) =>
  until(async () => {
    const { data } = await control<{ data: Shown[] }>(simulator, "GET", `/phones/${number}/messages`);
    return data.length >= count ? data : undefined;
  });

async function sent(...contents: OutboundContent[]): Promise<string[]> {
  const batch = contents.map((content) => message(contact, content));
  const results = await shard.deliver(business, batch);
  expect(results.map(({ status, error }) => error ?? status)).toEqual(batch.map(() => "sent"));
  return batch.map(({ wa_message_id }) => wa_message_id);
}

const write = (body: object) =>
  control<{ id: string }>(simulator, "POST", `/phones/${contact}/messages`, { to: phone, ...body }).then(
    ({ id }) => id,
  );

/** The contents in the journal, once there are `count`. */
const received = (count: number) =>
  until(
    async () => {
      const entries = await shard.readJournal("inbound");
      if (entries.length < count) return undefined;
      return entries.map(({ data }) =>
        contentOf({ type: data.type, text: data.text ?? null, content: data.content ?? null }),
      );
    },
    { what: `${count} messages in the journal` },
  );

describe("message kinds", () => {
  test("are shown by the recipient in order", async () => {
    const contents: OutboundContent[] = [
      { type: "location", latitude: 52.5, longitude: -13.25, name: "Office", address: "1, Main Street" },
      { type: "contact", contacts: [{ name: "Ada", phones: ["15550001111"] }] },
      { type: "poll", question: "When?", options: ["now", "later"], max_choices: 1 },
      { type: "poll", question: "Which?", options: ["a", "b", "c"], max_choices: 2 },
    ];
    await sent(...contents);
    expect(await shown(contact, contents.length)).toMatchObject([
      contents[0]!,
      { type: "contact", contacts: [{ name: "Ada", vcard: expect.stringContaining("waid=15550001111") }] },
      {
        type: "poll",
        text: "When?",
        options: ["now", "later"],
        max_choices: 1,
        secret: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
      { type: "poll", text: "Which?", options: ["a", "b", "c"], max_choices: 2 },
    ]);
  });

  test("that refer to a message reach it", async () => {
    const [first] = await sent({ type: "text", text: "hullo" });
    const question = await write({ text: "where?" });
    await received(1);
    const ours = { wa_message_id: first!, from_me: true };
    const theirs = { wa_message_id: question, from_me: false };
    await sent(
      { type: "text", text: "here", reply_to: { ...theirs, text: "where?" } },
      { type: "reaction", target: theirs, emoji: "❤️" },
      { type: "reaction", target: theirs, emoji: "" },
      { type: "edit", target: ours, text: "hello" },
      { type: "delete", target: ours },
    );
    const chat = `${contact}@s.whatsapp.net`;
    expect((await shown(contact, 6)).slice(1)).toMatchObject([
      { type: "text", text: "here", quoted: { id: question, participant: chat, text: "where?" } },
      { type: "reaction", text: "❤️", key: { id: question, from_me: false } },
      { type: "reaction", text: "", key: { id: question, from_me: false } },
      { type: "edit", text: "hello", key: { id: first!, from_me: true } },
      { type: "delete", key: { id: first!, from_me: true } },
    ]);
    // On the business's own phone too.
    expect((await shown(phone, 7)).filter(({ from_me }) => from_me)).toHaveLength(6);
  });

  test("are journaled in the form of the send API", async () => {
    const [ours] = await sent({ type: "text", text: "choose" });
    const target = { wa_message_id: ours!, from_me: false, sender: `${phone}@s.whatsapp.net` };
    const own = { ...target, from_me: true };
    const location = { type: "location", latitude: 1.5, longitude: 2.5, name: "Harbour" };
    const contacts = [
      { name: "Ada", phones: ["15550001111"] },
      { name: "Bo", phones: ["15550002222", "15550003333"] },
    ];
    const poll = { type: "poll", question: "When?", options: ["now", "later"], max_choices: 0 };
    await write(location);
    await write({ type: "contact", contacts });
    await write({ type: "contact", contacts: contacts.slice(1) });
    await write(poll);
    const said = await write({ text: "I take it", reply_to: { ...target, text: "choose" } });
    await write({ type: "reaction", target, emoji: "👍" });
    await write({ type: "edit", target: { ...own, wa_message_id: said }, text: "I took it" });
    await write({ type: "delete", target: { ...own, wa_message_id: said } });
    await write({ type: "unknown" });
    await write({ text: "still there?" });

    expect(await received(10)).toEqual([
      location,
      { type: "contact", contacts },
      { type: "contact", contacts: contacts.slice(1) },
      poll,
      { type: "text", text: "I take it", reply_to: { wa_message_id: ours!, from_me: true, text: "choose" } },
      { type: "reaction", target: { wa_message_id: ours!, from_me: true }, emoji: "👍" },
      { type: "edit", target: { wa_message_id: said, from_me: false }, text: "I took it" },
      { type: "delete", target: { wa_message_id: said, from_me: false } },
      { type: "unknown", kind: "orderMessage", text: "an unsupported kind" },
      { type: "text", text: "still there?" },
    ] as never);
  });

  test("include poll votes, readable across restarts", async () => {
    const [poll] = await sent({ type: "poll", question: "When?", options: ["now", "later", "never"], max_choices: 0 });
    await shown(contact, 1);
    const target = { wa_message_id: poll!, from_me: false, sender: `${phone}@s.whatsapp.net` };
    await write({ type: "poll_vote", target, options: ["never", "now"] });
    expect(await received(1)).toEqual([
      { type: "poll_vote", target: { wa_message_id: poll!, from_me: true }, options: ["now", "never"] },
    ]);
    await write({ type: "poll_vote", target, options: [] });
    expect((await received(2))[1]).toMatchObject({ type: "poll_vote", options: [] });
  });

  test("resend the first poll for a repeated batch", async () => {
    await control(simulator, "POST", "/faults", { kind: "ack_lost", phone, times: 1 });
    const poll = message(contact, { type: "poll", question: "When?", options: ["now", "later"], max_choices: 1 });
    expect((await shard.send(business, [poll]))[0]?.status).toBe("retry");
    const before = shard.db.db.query("SELECT count(*) AS n FROM sends").get();
    expect(await shard.deliver(business, [poll])).toMatchObject([{ status: "sent" }]);
    expect(shard.db.db.query("SELECT count(*) AS n FROM sends").get()).toEqual(before);
    await write({
      type: "poll_vote",
      target: { wa_message_id: poll.wa_message_id, from_me: false, sender: `${phone}@s.whatsapp.net` },
      options: ["now"],
    });
    expect(await received(1)).toMatchObject([{ type: "poll_vote", options: ["now"] }]);
  });

  test("are refused by name when malformed", async () => {
    const refused = await shard.request("POST", `/sessions/${business}/messages`, {
      messages: [{ ...text(contact, "x"), type: "hologram" }],
    });
    expect(refused.status).toBe(400);
    await sent({ type: "text", text: "still here" });
  });
});
