import { proto } from "@whiskeysockets/baileys";
import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { contentOf } from "../../../lib/messages/index.ts";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control, makePhone, newPhone } from "../testing/shard_under_test.ts";

const scenario = shardScenario();
const { MESSAGE_EDIT } = proto.Message.ProtocolMessage.Type;

const contents = async () =>
  (await scenario.shard.readJournal("inbound")).map(({ data }) =>
    contentOf({ type: data.type, text: data.text ?? null, content: data.content ?? null }),
  );
const received = (count: number) =>
  until(
    async () => {
      const found = await contents();
      return found.length >= count ? found : undefined;
    },
    { what: `${count} messages in the journal` },
  );
const pair = () => scenario.shard.pair(scenario.simulator, scenario.business, scenario.phone);
const own = (wa_message_id: string) => ({ wa_message_id, from_me: true });

describe("sealed edits", () => {
  test.each([
    { names: "number", plain: "edit" },
    { names: "lid", plain: "edit" },
    { names: "lid", plain: "content" },
  ])("open across a restart: %j", async (seal) => {
    await pair();
    const { contact, write } = scenario;
    const { id } = await write(contact, { text: "at noun" });
    await received(1);
    // A message without an acknowledgement is redelivered after the restart.
    await until(async () => (await scenario.waitingMail()) === 0, { what: "the acknowledgement" });
    await scenario.restart();
    await scenario.shard.reaches(scenario.business, "open");
    await write(contact, { type: "edit", target: own(id), text: "at noon", seal });
    expect((await received(2))[1]).toEqual({
      type: "edit",
      target: { wa_message_id: id, from_me: false },
      text: "at noon",
    });
  });

  test("open for calendar events", async () => {
    await pair();
    const { contact, phone, write } = scenario;
    const wire = (message: proto.IMessage) => Buffer.from(proto.Message.encode(message).finish()).toString("base64");
    const messageContextInfo = { messageSecret: randomBytes(32) };
    const event = (name: string) => ({ eventMessage: { name, description: "At the cellar" } });
    const { id } = await write(contact, { wire: wire({ ...event("Wine"), messageContextInfo }) });
    expect((await received(1))[0]).toMatchObject({ type: "unknown", text: "Wine\nAt the cellar" });
    const key = { id, remoteJid: `${phone}@s.whatsapp.net`, fromMe: true };
    const protocolMessage = { type: MESSAGE_EDIT, key, editedMessage: event("Cheese") };
    await write(contact, { wire: wire({ editedMessage: { message: { protocolMessage } } }), seal: {} });
    expect((await received(2))[1]).toMatchObject({ type: "edit", text: "Cheese\nAt the cellar" });
  });

  test("open for polls, whose votes stay readable", async () => {
    await pair();
    const { contact, phone, write } = scenario;
    const { id } = await write(contact, { type: "poll", question: "When?", options: ["now"], max_choices: 1 });
    await received(1);
    const poll = { question: "When then?", options: ["now", "later"] };
    await write(contact, { type: "edit", target: own(id), text: poll.question, poll, seal: {} });
    expect((await received(2))[1]).toMatchObject({ type: "edit", text: "When then?", poll });
    await write(phone, { to: contact, type: "poll_vote", target: { ...own(id), from_me: false }, options: ["now"] });
    expect((await received(3))[2]).toMatchObject({ type: "poll_vote", options: ["now"] });
  });

  test("of another member's message are ignored", async () => {
    await pair();
    const { contact, phone, simulator, write } = scenario;
    const attacker = newPhone();
    await makePhone(simulator, attacker);
    const { id: group } = await control<{ id: string }>(simulator, "POST", "/groups", {
      subject: "Team",
      members: [contact, phone, attacker],
    });
    const { id } = await write(contact, { to: group, text: "we pay by invoice" });
    await received(1);
    const theirs = { wa_message_id: id, from_me: false, sender: `${contact}@s.whatsapp.net` };
    const forged = { type: "edit", target: theirs, text: "we pay in advance" };
    await write(attacker, { to: group, ...forged });
    await write(attacker, { to: group, ...forged, seal: {} });
    await write(attacker, { to: group, type: "delete", target: theirs });
    await write(attacker, { to: group, text: "the last word" });
    await until(async () => (await contents()).some((each) => "text" in each && each.text === "the last word"), {
      what: "the message behind the forgeries",
    });
    expect(await contents()).toMatchObject([
      { type: "text", text: "we pay by invoice" },
      { type: "text", text: "the last word" },
    ]);
  });

  test("do not stop a group's administrator from deleting", async () => {
    await pair();
    const { contact, phone, simulator, write } = scenario;
    const member = newPhone();
    await makePhone(simulator, member);
    const members = [contact, phone, member];
    const { id: group } = await control<{ id: string }>(simulator, "POST", "/groups", { subject: "Team", members });
    const { id } = await write(member, { to: group, text: "spam" });
    await received(1);
    const target = { wa_message_id: id, from_me: false, sender: `${member}@s.whatsapp.net` };
    await write(contact, { to: group, type: "delete", target });
    expect((await received(2))[1]).toMatchObject({ type: "delete", target: { wa_message_id: id } });
  });
});
