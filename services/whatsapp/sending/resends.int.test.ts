import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { deviceAddress } from "../../simulator/whatsapp/phones/signal.ts";
import { garbageNode } from "../../simulator/whatsapp/messages/write.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control, message, text } from "../testing/shard_under_test.ts";

const scenario = shardScenario();

type Shown = { type: string; text?: string; expiration?: number; key?: { id: string } };

const shown = async () =>
  (await control<{ data: Shown[] }>(scenario.simulator, "GET", `/phones/${scenario.contact}/messages`)).data;
const shows = (count: number) =>
  until(async () => (await shown()).length === count, { what: `${count} messages on the customer's phone` });

/** The customer's phone loses what it needs to decrypt the business's next message. */
function loseKeys(): void {
  const { simulator, contact, phone } = scenario;
  const { phones } = simulator.simulation;
  const customer = phones.get(contact)!;
  for (const { id } of phones.get(phone)!.devices.values()) customer.signal.forget(deviceAddress(phone, id));
  customer.senderKeys.forget();
}

/** The codes with which WhatsApp refused messages of the business. */
const refusals = () =>
  scenario.simulator.simulation.ledger
    .after(0, 100_000)
    .flatMap((entry) => (entry.event === "refused" && entry.phone === scenario.phone ? entry.code : []));

/** Links a companion to a phone: another business. Returns the texts that it receives. */
async function linkCompanion(number: string) {
  const { shard, simulator } = scenario;
  const other = crypto.randomUUID();
  await shard.pair(simulator, other, number);
  return async () =>
    (await shard.readJournal("inbound"))
      .filter(({ business_id, data }) => business_id === other && data.type === "text")
      .map(({ data }) => data.text);
}

/** The newest companion of a phone cannot decrypt the next message that it gets. */
function garbleNext(number: string): void {
  const { mailbox } = [...scenario.simulator.simulation.phones.get(number)!.devices.values()].at(-1)!;
  const put = mailbox.put.bind(mailbox);
  let isGarbled = false;
  mailbox.put = (stanza, options) => {
    if (isGarbled || stanza.tag !== "message") return put(stanza, options);
    isGarbled = true;
    put({ ...stanza, content: [garbageNode()] }, options);
  };
}

/** Links a companion to `phone`; it cannot decrypt the second of two messages to `to`, and has to show both. */
async function getsGarbledAgain(to: string, phone: string): Promise<void> {
  const { shard, business } = scenario;
  const texts = await linkCompanion(phone);
  await shard.send(business, [text(to, "before")]);
  await until(async () => (await texts()).length === 1, { what: "the message on the companion" });
  garbleNext(phone);
  await shard.send(business, [text(to, "to a companion")]);
  await until(async () => (await texts()).length === 2, { what: "the message on the companion" });
  expect({ texts: await texts(), refusals: refusals() }).toEqual({ texts: ["before", "to a companion"], refusals: [] });
}

describe("a companion that cannot decrypt a message", () => {
  test.each(["chat", "group"])("gets it again: customer's, in a %s", async (kind) => {
    const { shard, simulator, business, phone, contact } = scenario;
    await shard.pair(simulator, business, phone);
    const to = kind === "group" ? await scenario.makeGroup() : contact;
    await getsGarbledAgain(to, contact);
  });

  test.each(["number", "lid_only"])("gets it again: own, in a chat by %s", async (naming) => {
    const { shard, simulator, business, phone, contact } = scenario;
    await shard.pair(simulator, business, phone);
    const names = { phone: contact, naming, usync_naming: naming };
    const { lid } = await control<{ lid: string }>(simulator, "POST", "/phones", names);
    const to = naming === "number" ? contact : `${lid}@lid`;
    await getsGarbledAgain(to, phone);
  });
});

describe("a message that is sent again", () => {
  test.each(["chat", "group"])("is declared as a change: in a %s", async (kind) => {
    const { shard, simulator, business, phone, contact } = scenario;
    await shard.pair(simulator, business, phone);
    const to = kind === "group" ? await scenario.makeGroup() : contact;
    const first = text(to, "a mistake");
    await shard.send(business, [first]);
    await shows(1);
    const target = { wa_message_id: first.wa_message_id, from_me: true };
    for (const [n, change] of [{ type: "edit", text: "corrected" } as const, { type: "delete" } as const].entries()) {
      loseKeys();
      await shard.send(business, [message(to, { ...change, target })]);
      await shows(n + 2);
    }
    expect(simulator.simulation.phones.get(contact)!.screen.undecryptable).toBeGreaterThan(1);
    const key = { id: first.wa_message_id };
    expect((await shown()).slice(1)).toMatchObject([
      { type: "edit", text: "corrected", key },
      { type: "delete", key },
    ]);
  });

  test("keeps the timer of its chat", async () => {
    const { shard, simulator, business, phone, contact, write, received } = scenario;
    await shard.pair(simulator, business, phone);
    await write(contact, { text: "hello", expiration: 86_400 });
    await until(async () => (await received()).length === 1, { what: "the customer's message" });
    await shard.send(business, [text(contact, "before")]);
    await shows(1);
    loseKeys();
    await shard.send(business, [text(contact, "an answer")]);
    await shows(2);
    expect(await shown()).toMatchObject([
      { text: "before", expiration: 86_400 },
      { text: "an answer", expiration: 86_400 },
    ]);
  });
});
