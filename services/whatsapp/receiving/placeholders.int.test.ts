import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control } from "../testing/shard_under_test.ts";

const scenario = shardScenario();

const entries = async () => (await scenario.shard.readJournal("inbound")).map(({ data }) => data);
const paired = async () => {
  const { shard, simulator, business, phone } = scenario;
  await shard.pair(simulator, business, phone);
  await until(async () => (await scenario.waitingMail()) === 0, {
    what: "the data that follows a pairing",
  });
};

describe("a message whose content only the phone has", () => {
  test("reaches the journal once, with chat and writer", async () => {
    await paired();
    const { contact, write, simulator } = scenario;
    const { id } = await write(contact, { text: "I saw your advertisement", companions_get: "unavailable" });
    await until(async () => (await entries()).length > 0, { what: "the content" });
    await write(contact, { text: "are you there?" });
    await until(async () => (await entries()).some(({ text }) => text === "are you there?"), {
      what: "the next message",
    });
    const chat = `${contact}@s.whatsapp.net`;
    expect(await entries()).toMatchObject([
      {
        wa_message_id: id,
        text: "I saw your advertisement",
        chat,
        sender: chat,
        from_me: false,
        push_name: `Phone ${contact}`,
      },
      { text: "are you there?", chat },
    ]);
    expect(simulator.simulation.stats.undecryptable).toBe(0);
    await until(async () => (await scenario.waitingMail()) === 0, { what: "every acknowledgement" });
  });

  test("may be sent again by its writer instead", async () => {
    await paired();
    const { contact, write } = scenario;
    const { id } = await write(contact, { text: "hello", companions_get: "unanswered" });
    await until(async () => (await scenario.waitingMail()) === 0, { what: "the acknowledgement" });
    await write(contact, { id, text: "hello" });
    await until(async () => (await entries()).length > 0, { what: "the content" });
    expect(await entries()).toMatchObject([{ wa_message_id: id, text: "hello", chat: `${contact}@s.whatsapp.net` }]);
    await until(async () => (await scenario.waitingMail()) === 0, { what: "the other acknowledgement" });
    // The shard journals what is overdue in the order of arrival.
    await write(contact, { text: "are you there?", companions_get: "unanswered" });
    await until(async () => (await scenario.waitingMail()) === 0, { what: "the last acknowledgement" });
    await scenario.restart({ unavailableAfterMs: 400 });
    await until(async () => (await entries()).some(({ type }) => type === "unavailable"), {
      what: "the message that is not sent again",
    });
    expect(await entries()).toMatchObject([{ text: "hello" }, { type: "unavailable" }]);
  });

  test("reveals a number that only the phone names", async () => {
    await paired();
    const { contact, write, simulator } = scenario;
    await control(simulator, "POST", "/phones", { phone: contact, naming: "lid_only" });
    await write(contact, { text: "I saw your advertisement", companions_get: "unavailable" });
    const chat = `${contact}@s.whatsapp.net`;
    const alias = `${simulator.simulation.phones.get(contact)!.lid}@lid`;
    const [first] = await until(async () => ((await entries()).length > 0 ? entries() : undefined), {
      what: "the content",
    });
    expect(first).toMatchObject({ chat, sender: chat, names: [{ alias, chat }] });
  });

  test("is not acknowledged before it is on the disk", async () => {
    await paired();
    const { contact, write, simulator } = scenario;
    const { stats } = simulator.simulation;
    const asked = stats.placeholders_asked;
    const { db } = scenario.shard;
    const commit = db.write.bind(db);
    // From the request on.
    db.write = (...work) =>
      stats.placeholders_asked > asked ? Promise.reject(new Error("database or disk is full")) : commit(...work);
    await write(contact, { text: "the first word", companions_get: "unavailable" });
    await until(() => stats.placeholders_asked > asked, { what: "the request" });
    await scenario.shard.reaches(scenario.business, "connecting");
    expect(await entries()).toEqual([]);
    db.write = commit;
    await scenario.shard.json("POST", `/sessions/${scenario.business}/connect`, { method: "qr" });
    await until(async () => (await entries()).length === 1, { what: "the redelivery" });
    expect(await entries()).toMatchObject([{ text: "the first word" }]);
  });

  test("is requested again after a stop of the shard", async () => {
    await paired();
    const { contact, fault, write, simulator } = scenario;
    const asked = simulator.simulation.stats.placeholders_asked;
    // A request before the stop does not reach the phone.
    await fault("ack_refuse", { code: 503 });
    await write(contact, { text: "the first word", companions_get: "unavailable" });
    await until(async () => (await scenario.waitingMail()) === 0, { what: "the acknowledgement" });
    await scenario.shard.stop();
    expect(simulator.simulation.stats.placeholders_asked).toBe(asked);
    await control(simulator, "DELETE", "/faults");
    scenario.start();
    await until(async () => (await entries()).length === 1, { what: "the content" });
    expect(await entries()).toMatchObject([{ text: "the first word", push_name: `Phone ${contact}` }]);
  });
});
