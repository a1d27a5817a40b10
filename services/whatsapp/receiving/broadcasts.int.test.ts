import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control } from "../testing/shard_under_test.ts";

const scenario = shardScenario();

describe("statuses, broadcast lists and channels", () => {
  test.each(["status@broadcast", "120363000000000001@newsletter"])(
    "%s is acknowledged and not journaled",
    async (to) => {
      const { shard, simulator, business, phone, contact, write } = scenario;
      await shard.pair(simulator, business, phone);
      await write(contact, { to, audience: [phone], text: "my holiday" });
      await write(contact, { text: "a question" });
      const texts = async () => (await shard.readJournal("inbound")).map(({ data }) => data.text);
      await until(async () => (await texts()).includes("a question"), { what: "the message behind it" });
      expect(await texts()).toEqual(["a question"]);
      await until(async () => (await scenario.waitingMail()) === 0, { what: "the acknowledgement" });
    },
  );

  test("a customer's list lands in the customer's own chat", async () => {
    const { shard, simulator, business, phone, contact, write } = scenario;
    await shard.pair(simulator, business, phone);
    await write(contact, { to: "1700000000@broadcast", audience: [phone], text: "we have moved" });
    await write(contact, { text: "a question" });
    const chat = `${contact}@s.whatsapp.net`;
    const entries = await until(
      async () => {
        const found = await shard.readJournal("inbound");
        return found.length >= 2 ? found.map(({ data }) => data) : undefined;
      },
      { what: "both messages" },
    );
    expect(entries).toMatchObject([
      { text: "we have moved", chat, sender: chat },
      { text: "a question", chat, sender: chat },
    ]);
    await until(async () => (await scenario.waitingMail()) === 0, { what: "the acknowledgement" });
  });

  test.each(["number", "lid"])("drop the list of the business, under its %s", async (naming) => {
    const { shard, simulator, business, phone, contact, write, received } = scenario;
    await shard.pair(simulator, business, phone);
    await control(simulator, "POST", "/phones", { phone, naming });
    await write(phone, { to: "1700000000@broadcast", audience: [phone], text: "we have moved" });
    await write(contact, { text: "a question" });
    await until(async () => (await received()).includes("a question"), { what: "the message behind it" });
    expect(await received()).toEqual(["a question"]);
    await until(async () => (await scenario.waitingMail()) === 0, { what: "the acknowledgement" });
  });
});
