import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control, makePhone, newPhone, screenOf, text } from "../testing/shard_under_test.ts";

const scenario = shardScenario({ waitScale: 0.01 });

const shownTo = async (phone: string) =>
  (
    await control<{ data: { text?: string; expiration?: number }[] }>(
      scenario.simulator,
      "GET",
      `/phones/${phone}/messages`,
    )
  ).data;

describe("a contact", () => {
  test("without a LID is written to by its number", async () => {
    const { shard, simulator, business, phone, contact, fault } = scenario;
    await shard.pair(simulator, business, phone);
    await fault("no_lid", { phone: contact });
    const results = await shard.send(business, [text(contact, "one"), text(contact, "two")]);
    expect(results.map(({ status }) => status)).toEqual(["sent", "sent"]);
    const { texts, undecryptable } = await screenOf(simulator, contact);
    expect({ texts, undecryptable }).toEqual({ texts: ["one", "two"], undecryptable: 0 });
  });

  test("with a new device is noticed by its hash", async () => {
    const { shard, simulator, business, phone, contact } = scenario;
    await shard.pair(simulator, business, phone);
    await shard.send(business, [text(contact, "before")]);
    // The contact links a companion: a second business.
    const other = crypto.randomUUID();
    await shard.pair(simulator, other, contact);
    await shard.send(business, [text(contact, "misses it")]);
    await shard.send(business, [text(contact, "reaches it")]);
    const received = async () =>
      (await shard.readJournal("inbound"))
        .filter(({ business_id }) => business_id === other)
        .map(({ data }) => data.text);
    await until(async () => (await received()).includes("reaches it"), { what: "the message on the new device" });
    expect(await received()).toEqual(["reaches it"]);
  });
});

describe("a chat with disappearing messages", () => {
  test("keeps its timer, across restarts", async () => {
    const { shard, simulator, business, phone, contact, write, received } = scenario;
    await shard.pair(simulator, business, phone);
    await write(contact, { text: "hello", expiration: 86_400 });
    await until(async () => (await received()).length === 1, { what: "the customer's message" });
    await shard.send(business, [text(contact, "an answer")]);
    expect((await shownTo(contact)).at(-1)).toMatchObject({ text: "an answer", expiration: 86_400 });
    await scenario.restart();
    await shard.reaches(business, "open");
    const other = newPhone();
    await makePhone(simulator, other);
    await shard.send(business, [text(contact, "later"), text(other, "elsewhere")]);
    expect((await shownTo(contact)).at(-1)).toMatchObject({ text: "later", expiration: 86_400 });
    expect((await shownTo(other)).at(-1)?.expiration).toBeUndefined();
    await write(contact, { text: "the timer is off" });
    await until(async () => (await received()).length === 2, { what: "the customer's next message" });
    await shard.send(business, [text(contact, "stays")]);
    expect((await shownTo(contact)).at(-1)?.expiration).toBeUndefined();
  });
});
