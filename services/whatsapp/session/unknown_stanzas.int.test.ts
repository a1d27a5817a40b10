import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control } from "../testing/shard_under_test.ts";

const scenario = shardScenario();

describe("a stanza of an unknown type", () => {
  test.each([
    { tag: "hologram", type: "beam" },
    { tag: "notification", type: "hologram", child: "beam" },
    { tag: "receipt", type: "smelled" },
  ])("is acknowledged, counted and alarmed once: %j", async (stanza) => {
    const { shard, simulator, business, phone, contact, write } = scenario;
    await shard.pair(simulator, business, phone);
    await until(async () => (await scenario.waitingMail()) === 0, { what: "the data that follows a pairing" });
    const alarms = await scenario.metric("prosaas_whatsapp_alarms_total");
    for (let n = 0; n < 3; n++) await control(simulator, "POST", `/phones/${phone}/stanzas`, stanza);
    await until(async () => (await scenario.metric("prosaas_whatsapp_unknown_stanzas_total")) === 3, {
      what: "three unknown stanzas",
    });
    await until(async () => (await scenario.waitingMail()) === 0, { what: "every acknowledgement" });
    expect((await scenario.metric("prosaas_whatsapp_alarms_total")) - alarms).toBe(1);
    await write(contact, { text: "still there?" });
    await until(async () => (await scenario.received()).includes("still there?"), { what: "the next message" });
    expect(await shard.view(business)).toMatchObject({ status: "open" });
  });

  test("is none of those that a session gets", async () => {
    const { shard, simulator, business, phone, contact, contactWrites } = scenario;
    await shard.pair(simulator, business, phone);
    await contactWrites("hello");
    await until(async () => (await scenario.received()).includes("hello"), { what: "the message" });
    await control(simulator, "POST", "/groups", { subject: "Team", members: [contact, phone] });
    await scenario.restart();
    await scenario.shard.reaches(business, "open");
    const metrics = await (await scenario.shard.request("GET", "/metrics")).text();
    expect(metrics).not.toContain("whatsapp_unknown_stanzas_total{");
  });
});
