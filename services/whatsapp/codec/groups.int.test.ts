import { beforeEach, describe, expect, spyOn, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { Ledger } from "../sending/ledger.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control, makePhone, message, newPhone, text } from "../testing/shard_under_test.ts";
import type { Simulator } from "../testing/shard_under_test.ts";

const scenario = shardScenario();
const { shard } = scenario;
let simulator: Simulator;
let business: string;
let phone: string;
let ada: string;
let bo: string;

beforeEach(async () => {
  ({ simulator, business, phone, contact: ada } = scenario);
  bo = newPhone();
  await makePhone(simulator, bo);
  await shard.pair(simulator, business, phone);
});

type Shown = { id: string; text?: string; type: string; chat: string; sender: string; from_me: boolean } & Record<
  string,
  unknown
>;
type Screen = { data: Shown[]; duplicates: number; undecryptable: number };

const makeGroup = async (addressing: "lid" | "pn" = "lid", members = [ada, phone, bo]) =>
  (await control<{ id: string }>(simulator, "POST", "/groups", { subject: "The staff", members, addressing })).id;
const screenOf = (number: string) => control<Screen>(simulator, "GET", `/phones/${number}/messages`);
const textsOf = async (number: string) => (await screenOf(number)).data.map(({ text: body }) => body);
const shows = (number: string, texts: string[]) =>
  until(async () => (await textsOf(number)).join() === texts.join(), { what: `${number} to show ${texts.join()}` });
const write = (from: string, to: string, body: object) =>
  control<{ id: string }>(simulator, "POST", `/phones/${from}/messages`, { to, ...body }).then(({ id }) => id);
const received = (count: number) =>
  until(
    async () => {
      const entries = await shard.readJournal("inbound");
      return entries.length < count ? undefined : entries.map(({ data }) => data);
    },
    { what: `${count} messages in the journal` },
  );
/** WhatsApp holds nothing for the business: everything was acknowledged. */
const mailboxEmpty = () =>
  until(async () => {
    const { devices } = await control<{ devices: { waiting: number }[] }>(simulator, "GET", `/phones/${phone}`);
    return devices.every(({ waiting }) => waiting === 0);
  });
const outcomes = async (to: string, ...bodies: string[]) =>
  (
    await shard.deliver(
      business,
      bodies.map((body) => text(to, body)),
    )
  ).map(({ status, error }) => error?.code ?? status);

describe.each(["lid", "pn"] as const)("a group addressed by %s", (addressing) => {
  test("delivers messages and replies once and in order", async () => {
    const group = await makeGroup(addressing);
    const bodies = Array.from({ length: 30 }, (_, i) => `message ${i}`);
    expect(await outcomes(group, ...bodies)).toEqual(bodies.map(() => "sent"));
    for (const number of [ada, bo, phone]) {
      await shows(number, bodies);
      expect(await screenOf(number)).toMatchObject({ duplicates: 0, undecryptable: 0 });
    }
    expect((await screenOf(ada)).data[0]).toMatchObject({ chat: group, sender: phone, from_me: false });

    await write(ada, group, { text: "from Ada" });
    await write(bo, group, { text: "from Bo" });
    await write(ada, group, { text: "from Ada again" });
    await write(phone, group, { text: "from the business's own phone" });
    const by = (number: string, words: string, from_me = false) => ({
      chat: group,
      sender: `${number}@s.whatsapp.net`,
      text: words,
      from_me,
    });
    expect(await received(4)).toMatchObject([
      by(ada, "from Ada"),
      by(bo, "from Bo"),
      by(ada, "from Ada again"),
      by(phone, "from the business's own phone", true),
    ]);
  });

  test("replies and reacts under the group's own names", async () => {
    const group = await makeGroup(addressing);
    const asked = await write(bo, group, { text: "who comes?" });
    await received(1);
    const target = { wa_message_id: asked, from_me: false, sender: `${bo}@s.whatsapp.net` };
    await shard.send(business, [
      message(group, { type: "text", text: "we do", reply_to: { ...target, text: "who comes?" } }),
      message(group, { type: "reaction", target, emoji: "🙋" }),
    ]);
    const { lid } = await control<{ lid: string }>(simulator, "GET", `/phones/${bo}`);
    const participant = addressing === "lid" ? `${lid}@lid` : `${bo}@s.whatsapp.net`;
    const isShown = async () => (await screenOf(ada)).data.length === 3;
    await until(isShown, { what: "the reply and the reaction" });
    expect((await screenOf(ada)).data.slice(1)).toMatchObject([
      { text: "we do", quoted: { id: asked, participant, text: "who comes?" } },
      { type: "reaction", text: "🙋", key: { id: asked, from_me: false, participant } },
    ]);
  });
});

test("needs no new keys after a restart", async () => {
  const group = await makeGroup();
  expect(await outcomes(group, "before")).toEqual(["sent"]);
  await write(ada, group, { text: "also before" });
  await received(1);
  await mailboxEmpty();
  await shard.stop();
  await write(ada, group, { text: "meanwhile" });
  scenario.start();
  await shard.reaches(business, "open");
  expect(await outcomes(group, "after")).toEqual(["sent"]);
  await shows(bo, ["before", "also before", "meanwhile", "after"]);
  expect((await received(2)).map(({ text: body }) => body)).toEqual(["also before", "meanwhile"]);
  expect((await screenOf(bo)).undecryptable).toBe(0);
});

describe("a group", () => {
  test("gives joiners new messages, and leavers no key", async () => {
    const group = await makeGroup("lid", [ada, phone]);
    expect(await outcomes(group, "two of us")).toEqual(["sent"]);
    const change = async (body: object) => {
      await control(simulator, "POST", `/groups/${group}/members`, body);
      await mailboxEmpty();
    };
    await change({ add: [bo] });
    expect(await outcomes(group, "three of us")).toEqual(["sent"]);
    await shows(bo, ["three of us"]);

    /** The business's sender keys that Ada's phone has. */
    const keysOfAda = () => {
      const { store } = simulator.simulation;
      store.flush();
      const rows = store.db
        .query<{ record: Uint8Array }, [string]>("SELECT record FROM sender_keys WHERE phone = ?")
        .all(ada);
      return rows.map(({ record }) => (JSON.parse(Buffer.from(record).toString()) as unknown[]).length);
    };
    expect(keysOfAda()).toEqual([1]);
    await change({ remove: [bo] });
    expect(await outcomes(group, "two again")).toEqual(["sent"]);
    await shows(ada, ["two of us", "three of us", "two again"]);
    expect(keysOfAda()).toEqual([2]);
    expect(await textsOf(bo)).toEqual(["three of us"]);
  });

  test("resends to a member whose phone lost its keys", async () => {
    const group = await makeGroup();
    expect(await outcomes(group, "first")).toEqual(["sent"]);
    await shows(ada, ["first"]);
    simulator.simulation.phones.get(ada)!.senderKeys.forget();
    expect(await outcomes(group, "second")).toEqual(["sent"]);
    await shows(ada, ["first", "second"]);
    await shows(bo, ["first", "second"]);
    expect(await screenOf(ada)).toMatchObject({ undecryptable: 1 });
  });

  test("gives a member its key without the missed message", async () => {
    const group = await makeGroup();
    expect(await outcomes(group, "first")).toEqual(["sent"]);
    await shows(ada, ["first"]);
    simulator.simulation.phones.get(ada)!.senderKeys.forget();
    // Retry receipts arrive after the ledger has dropped the message.
    const forgotten = spyOn(Ledger.prototype, "body").mockReturnValue(undefined);
    try {
      let n = 0;
      const later = async () => {
        await outcomes(group, `later ${n++}`);
        return (await textsOf(ada)).length > 1;
      };
      await until(later, { what: "a later message", everyMs: 100 });
    } finally {
      forgotten.mockRestore();
    }
  });

  test("with an id of the older form works", async () => {
    const body = { id: `${ada}-1612345678`, subject: "The club", members: [ada, phone, bo], addressing: "pn" };
    const { id } = await control<{ id: string }>(simulator, "POST", "/groups", body);
    expect(id).toBe(`${ada}-1612345678@g.us`);
    expect(await outcomes(id, "to the club")).toEqual(["sent"]);
    await shows(ada, ["to the club"]);
    await write(bo, id, { text: "from the club" });
    expect(await received(1)).toMatchObject([{ chat: id, text: "from the club", sender: `${bo}@s.whatsapp.net` }]);
  });

  test("fails messages without membership, and goes on", async () => {
    const group = await makeGroup("lid", [ada, bo]);
    expect(await outcomes(group, "to strangers")).toEqual(["not_in_group"]);
    expect(await outcomes("120363999999999999@g.us", "undeliverable")).toEqual(["not_in_group"]);
    expect(await outcomes(ada, "deliverable")).toEqual(["sent"]);
  });

  test("gets the key again with a lost message", async () => {
    const group = await makeGroup();
    await control(simulator, "POST", "/faults", { kind: "message_lost", phone, times: 1 });
    expect(await outcomes(group, "lost with the key")).toEqual(["sent"]);
    expect(await outcomes(group, "next")).toEqual(["sent"]);
    await shows(ada, ["lost with the key", "next"]);
    expect((await screenOf(ada)).undecryptable).toBe(0);
  });

  test("shows a message with a lost acknowledgement once", async () => {
    const group = await makeGroup();
    await control(simulator, "POST", "/faults", { kind: "ack_lost", phone, times: 1 });
    const lost = text(group, "once");
    expect((await shard.send(business, [lost]))[0]?.status).toBe("retry");
    expect(await shard.deliver(business, [lost])).toMatchObject([{ status: "sent" }]);
    await shows(ada, ["once"]);
  });
});
