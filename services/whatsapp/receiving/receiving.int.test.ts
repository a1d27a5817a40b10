import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control, newPhone, text } from "../testing/shard_under_test.ts";

const scenario = shardScenario();

describe("the backlog after a restart", () => {
  test("precedes messages written while it is fetched", async () => {
    const { simulator, shard, business, phone, contactWrites, received } = scenario;
    await shard.pair(simulator, business, phone);
    await shard.stop();
    const texts = Array.from({ length: 60 }, (_, n) => `message ${n}`);
    for (const body of texts.slice(0, 30)) await contactWrites(body);
    scenario.start();
    // While the shard opens its session and reads the backlog.
    for (const body of texts.slice(30)) await contactWrites(body);
    await until(async () => (await received()).length === texts.length, { what: "every message" });
    expect(await received()).toEqual(texts);
  });

  test("precedes messages written once it arrives", async () => {
    const { simulator, shard, business, phone, contactWrites, received } = scenario;
    await shard.pair(simulator, business, phone);
    await shard.stop();
    const bodies = Array.from({ length: 150 }, (_, i) => `message ${i}`);
    for (const body of bodies.slice(0, 100)) await contactWrites(body);
    scenario.start();
    await until(async () => (await received()).length > 0, { what: "the first message in the journal", everyMs: 1 });
    for (const body of bodies.slice(100)) await contactWrites(body);
    await until(async () => (await received()).length >= 150, { what: "150 messages in the journal" });
    expect(await received()).toEqual(bodies);
  });
});

describe("a backlog of several batches", () => {
  test("arrives completely and in order", async () => {
    const { simulator, shard, business, phone, contactWrites, received, waitingMail } = scenario;
    await shard.pair(simulator, business, phone);
    await shard.stop();
    const texts = Array.from({ length: 350 }, (_, n) => `message ${n}`);
    for (const body of texts) await contactWrites(body);
    scenario.start();
    await until(async () => (await received()).length >= texts.length, { what: "every message" });
    expect(await received()).toEqual(texts);
    await contactWrites("after the backlog");
    await until(async () => (await received()).at(-1) === "after the backlog", { what: "the next message" });
    await until(async () => (await waitingMail()) === 0, { what: "the acknowledgements" });
  });
});

describe("a message that arrives after a restart", () => {
  test("of the own phone is journaled", async () => {
    const { simulator, shard, business, phone, contact } = scenario;
    await shard.pair(simulator, business, phone);
    await shard.stop();
    const body = { to: contact, text: "I answer by hand" };
    const { id } = await control<{ id: string }>(simulator, "POST", `/phones/${phone}/messages`, body);
    scenario.start();
    const entries = async () => (await scenario.shard.readJournal("inbound")).map(({ data }) => data);
    await until(async () => (await entries()).length > 0, { what: "the message" });
    const chat = `${contact}@s.whatsapp.net`;
    expect(await entries()).toMatchObject([{ wa_message_id: id, chat, from_me: true, text: "I answer by hand" }]);
  });

  test("under no one-time key is decrypted", async () => {
    const { simulator, shard, business, phone, received } = scenario;
    await shard.pair(simulator, business, phone);
    await shard.stop();
    const [device] = simulator.simulation.phones.get(phone)!.devices.values();
    while (device!.preKeyCount > 0) device!.takeBundle();
    const customers = Array.from({ length: 8 }, newPhone);
    for (const customer of customers) await scenario.write(customer, { text: `hello from ${customer}` });
    scenario.start();
    await until(async () => (await received()).length === customers.length, { what: "every message" });
    await until(() => device!.preKeyCount > 100, { what: "new one-time keys" });
  });

  test("under a used one-time key is decrypted at last", async () => {
    const { simulator, shard, business, phone, contact, received, waitingMail } = scenario;
    await shard.pair(simulator, business, phone);
    await scenario.write(contact, { text: "a first word", companions_get: "used_prekey" });
    await until(async () => (await received()).length > 0, { what: "the message" });
    expect(await received()).toEqual(["a first word"]);
    await scenario.write(contact, { text: "a second word" });
    await until(async () => (await received()).length === 2, { what: "the next message" });
    await until(async () => (await waitingMail()) === 0, { what: "the acknowledgements" });
  });
});

describe("data that cannot be made durable", () => {
  test("is not acknowledged and comes again: message", async () => {
    const { simulator, shard, business, phone, contactWrites, waitingMail, received } = scenario;
    await shard.pair(simulator, business, phone);
    await until(async () => (await waitingMail()) === 0, { what: "the data that follows a pairing" });
    const write_ = shard.db.write.bind(shard.db);
    shard.db.write = () => Promise.reject(new Error("database or disk is full"));
    await contactWrites("important");
    const { reason } = await shard.reaches(business, "connecting");
    expect(reason).toContain("database or disk is full");
    expect(await waitingMail()).toBe(1);
    expect(await received()).toEqual([]);

    shard.db.write = write_;
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    await until(async () => (await received()).join() === "important", { what: "the redelivery" });
    await until(async () => (await waitingMail()) === 0, { what: "the acknowledgement" });
  });

  test("is not acknowledged and comes again: tick", async () => {
    const { simulator, shard, business, phone, contact, fault } = scenario;
    await shard.pair(simulator, business, phone);
    // The ticks have to come after the end of `send`.
    await fault("ticks", { mode: "delayed", ms: 3_000 });
    await shard.send(business, [text(contact, "x")]);
    const write_ = shard.db.write.bind(shard.db);
    shard.db.write = () => Promise.reject(new Error("database or disk is full"));
    await shard.reaches(business, "connecting");
    shard.db.write = write_;
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    const ticks = async () => (await shard.readJournal("receipts")).map(({ data }) => data.status);
    await until(async () => (await ticks()).includes("delivered") && (await ticks()).includes("read"), {
      what: "both ticks",
    });
  });
});
