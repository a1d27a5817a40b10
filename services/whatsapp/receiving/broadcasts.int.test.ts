import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";

const scenario = shardScenario();

describe("statuses, broadcast lists and channels", () => {
  test.each(["status@broadcast", "1700000000@broadcast", "120363000000000001@newsletter"])(
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
});
