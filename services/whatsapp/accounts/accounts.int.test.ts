import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control, makePhone, message, newPhone, text } from "../testing/shard_under_test.ts";

const scenario = shardScenario();

const jidOf = (phone: string) => `${phone}@s.whatsapp.net`;
const ofSimulator = <T>(method: string, path: string, body?: object) =>
  control<T>(scenario.simulator, method, path, body);
const lidOf = async (phone: string) => `${(await ofSimulator<{ lid: string }>("GET", `/phones/${phone}`)).lid}@lid`;
const rename = (phone: string, naming: "number" | "lid" | "lid_only") =>
  ofSimulator("POST", "/phones", { phone, naming });
const pair = () => scenario.shard.pair(scenario.simulator, scenario.business, scenario.phone);

/** The received messages, once there are so many. */
const received = (count: number) =>
  until(
    async () => {
      const entries = await scenario.shard.readJournal("inbound");
      return entries.length >= count ? entries.map(({ data }) => data) : undefined;
    },
    { what: `${count} messages` },
  );
const names = async () =>
  (await scenario.shard.readJournal("identities")).flatMap(({ data }) =>
    data.names.map(({ alias, chat }) => `${alias} ${chat}`),
  );
/** Waits until the shard has reported that `alias` is another name of `chat`. */
const learned = (alias: string, chat: string) =>
  until(async () => (await names()).includes(`${alias} ${chat}`), { what: `${alias} to be ${chat}` });

describe("one account", () => {
  test("is one chat under all of its names", async () => {
    const { contact, contactWrites } = scenario;
    await pair();
    for (const naming of ["number", "lid", "lid_only"] as const) {
      await rename(contact, naming);
      await contactWrites(naming);
    }
    await received(3);
    // A message without an acknowledgement is redelivered after the restart.
    await until(async () => (await scenario.waitingMail()) === 0, { what: "the acknowledgements" });
    await scenario.restart();
    await scenario.shard.reaches(scenario.business, "open");
    await contactWrites("after a restart");
    const messages = await received(4);
    expect(messages.map(({ chat, sender }) => [chat, sender])).toEqual(
      Array.from({ length: 4 }, () => [jidOf(contact), jidOf(contact)]),
    );
    expect(messages[1]!.names).toEqual([{ alias: await lidOf(contact), chat: jidOf(contact) }]);
  });

  test.each(["number", "lid_only"] as const)("is one chat under two names at once: %s", async (naming) => {
    const { contact, write } = scenario;
    await pair();
    await rename(contact, naming);
    const { id } = await write(contact, { text: "hello", again_as: naming === "number" ? "lid_only" : "number" });
    const messages = await received(1);
    await until(async () => (await scenario.waitingMail()) === 0, { what: "the acknowledgements" });
    await write(contact, { text: "bye" });
    await until(async () => (await scenario.received()).includes("bye"), { what: "the next message" });
    expect(messages[0]).toMatchObject({ wa_message_id: id, text: "hello" });
    const last = (await scenario.shard.readJournal("inbound")).at(-1)!.data;
    expect(last.chat).toBe(jidOf(contact));
  });

  test("is its LID until the number is known", async () => {
    const { contact, contactWrites } = scenario;
    await pair();
    await rename(contact, "lid_only");
    const lid = await lidOf(contact);
    await contactWrites("who am I?");
    expect((await received(1))[0]).toMatchObject({ chat: lid, sender: lid });

    expect((await scenario.shard.send(scenario.business, [text(contact, "you")]))[0]?.status).toBe("sent");
    await learned(lid, jidOf(contact));
    await contactWrites("thanks");
    expect((await received(2))[1]).toMatchObject({ chat: jidOf(contact), sender: jidOf(contact) });
  });

  test("is known by its number from the address book", async () => {
    const { contact, phone, contactWrites } = scenario;
    await pair();
    await rename(contact, "lid_only");
    await ofSimulator("POST", `/phones/${phone}/contacts`, { phone: contact });
    await learned(await lidOf(contact), jidOf(contact));
    await contactWrites("hello");
    expect((await received(1))[0]).toMatchObject({ chat: jidOf(contact) });
  });

  test("is known by its number from a group's roster", async () => {
    const { contact, phone, contactWrites } = scenario;
    await pair();
    await rename(contact, "lid_only");
    const group = { subject: "The staff", members: [contact, phone] };
    const { id } = await ofSimulator<{ id: string }>("POST", "/groups", group);
    await ofSimulator("POST", `/phones/${contact}/messages`, { to: id, text: "in the group" });
    await learned(await lidOf(contact), jidOf(contact));
    await ofSimulator("POST", `/phones/${contact}/messages`, { to: id, text: "again" });
    await contactWrites("in private");
    expect((await received(3)).slice(1)).toMatchObject([
      { chat: id, sender: jidOf(contact) },
      { chat: jidOf(contact), sender: jidOf(contact) },
    ]);
  });

  test("takes replies, reactions and votes under its LID", async () => {
    const { shard, business, contact, phone } = scenario;
    await pair();
    const poll = message(contact, { type: "poll", question: "When?", options: ["now", "later"], max_choices: 1 });
    expect((await shard.send(business, [poll]))[0]?.status).toBe("sent");
    await rename(contact, "lid_only");
    const target = { wa_message_id: poll.wa_message_id, from_me: false };
    for (const body of [
      { type: "text", text: "fine", reply_to: { ...target, sender: jidOf(phone) } },
      { type: "reaction", target, emoji: "👍" },
      { type: "poll_vote", target, options: ["later"] },
    ])
      await scenario.write(contact, body);
    const about = { wa_message_id: poll.wa_message_id, from_me: true };
    expect(await received(3)).toMatchObject([
      { chat: jidOf(contact), content: { reply_to: about } },
      { chat: jidOf(contact), content: { target: about } },
      { chat: jidOf(contact), content: { target: about, options: ["later"] } },
    ]);
  });

  test("gives receipts under its LID", async () => {
    const { shard, business, contact } = scenario;
    await pair();
    await rename(contact, "lid_only");
    const sent = text(contact, "hello");
    await shard.send(business, [sent]);
    await until(
      async () =>
        (await shard.readJournal("receipts")).some(
          ({ data }) =>
            data.wa_message_id === sent.wa_message_id && data.status === "read" && data.chat === jidOf(contact),
        ),
      { what: "the read receipt" },
    );
  });

  test.each(["number", "lid", "lid_only"] as const)("gets what the own phone writes, named by %s", async (naming) => {
    const { contact, phone } = scenario;
    await pair();
    await scenario.contactWrites("first");
    await received(1);
    await rename(contact, naming);
    await ofSimulator("POST", `/phones/${phone}/messages`, { to: contact, text: "from the own phone" });
    expect((await received(2))[1]).toMatchObject({ chat: jidOf(contact), from_me: true });
    await ofSimulator("POST", `/phones/${contact}/messages`, { to: phone, text: "an answer" });
    expect((await received(3))[2]).toMatchObject({ chat: jidOf(contact), from_me: false });
    expect(await names()).not.toContain(`${await lidOf(contact)} ${jidOf(phone)}`);
  });

  test("is not taken over by a stranger's claim", async () => {
    const { contact, phone, contactWrites } = scenario;
    await pair();
    const stranger = newPhone();
    await makePhone(scenario.simulator, stranger);
    for (const naming of ["lid_only", "number"] as const) {
      await rename(stranger, naming);
      await ofSimulator("POST", `/phones/${stranger}/hostile`, { to: phone, kind: "lid_claim", claim: contact });
    }
    await contactWrites("it is me");
    await rename(stranger, "lid_only");
    await scenario.write(stranger, { text: "no, me" });
    expect((await received(2)).map(({ chat, text: body }) => [chat, body])).toEqual([
      [jidOf(contact), "it is me"],
      [jidOf(stranger), "no, me"],
    ]);
    expect((await names()).filter((pair) => pair.includes(contact) && pair.includes(stranger))).toEqual([]);
    expect(await names()).not.toContain(`${await lidOf(stranger)} ${jidOf(contact)}`);
  });
});

describe.each(["lid", "lid_only"])("an account that usync names by %s", (usync_naming) => {
  test("is checked and sent to by its number", async () => {
    const { shard, simulator, business, contact } = scenario;
    await ofSimulator("POST", "/phones", { phone: contact, usync_naming });
    await pair();
    const { data } = await shard.json<{ data: object[] }>("POST", `/sessions/${business}/numbers`, {
      numbers: [contact],
    });
    expect(data).toEqual([{ number: contact, on_whatsapp: true, jid: jidOf(contact) }]);
    expect((await shard.send(business, [text(contact, "hello")], undefined, true))[0]?.status).toBe("sent");
    await scenario.contactWrites("an answer");
    expect((await received(1))[0]).toMatchObject({ chat: jidOf(contact), sender: jidOf(contact) });
    const seen = await control<{ data: object[] }>(simulator, "GET", `/phones/${contact}/messages`);
    expect(seen.data).toMatchObject([{ text: "hello" }]);
    const user = (await lidOf(contact)).split("@")[0]!;
    expect((await names()).filter((pair) => pair.includes(jidOf(user)))).toEqual([]);
  });
});

describe("another spelling of a number", () => {
  const spell = async () => {
    const spelling = newPhone();
    await ofSimulator("POST", "/phones", { phone: scenario.contact, spellings: [spelling] });
    await pair();
    return spelling;
  };

  test("is answered with the account, and not sent to", async () => {
    const { shard, simulator, business, contact } = scenario;
    const spelling = await spell();
    for (const body of ["first", "second"]) {
      const [result] = await shard.send(business, [text(spelling, body)], undefined, true);
      expect(result).toMatchObject({ status: "retry", account: jidOf(contact) });
    }
    await learned(jidOf(spelling), jidOf(contact));
    const { data } = await control<{ data: object[] }>(simulator, "GET", `/phones/${contact}/messages`);
    expect(data).toEqual([]);
    expect((await shard.send(business, [text(spelling, "of an older caller")]))[0]?.status).toBe("sent");
    expect((await shard.send(business, [text(contact, "third")]))[0]?.status).toBe("sent");
  });

  test("is checked as the account", async () => {
    const { shard, business, contact } = scenario;
    const spelling = await spell();
    const other = newPhone();
    await ofSimulator("POST", "/faults", { kind: "not_on_whatsapp", phone: other });
    const { data } = await shard.json<{ data: object[] }>("POST", `/sessions/${business}/numbers`, {
      numbers: [spelling, other, contact],
    });
    expect(data).toEqual([
      { number: spelling, on_whatsapp: true, jid: jidOf(contact) },
      { number: other, on_whatsapp: false },
      { number: contact, on_whatsapp: true, jid: jidOf(contact) },
    ]);
    await learned(jidOf(spelling), jidOf(contact));
  });
});
