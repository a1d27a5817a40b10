import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control } from "../testing/shard_under_test.ts";

const scenario = shardScenario({ unavailableAfterMs: 3_000 });

const entries = async () => (await scenario.shard.readJournal("inbound")).map(({ data }) => data);
const journaled = (count: number) =>
  until(
    async () => {
      const found = await entries();
      return found.length >= count ? found : undefined;
    },
    { what: `${count} journal entries` },
  );
const pair = () => scenario.shard.pair(scenario.simulator, scenario.business, scenario.phone);

describe("a message without content", () => {
  test("shown once is journaled at once", async () => {
    await pair();
    const { contact, write } = scenario;
    const { id } = await write(contact, { text: "a secret", companions_get: "view_once" });
    const chat = `${contact}@s.whatsapp.net`;
    expect(await journaled(1)).toMatchObject([
      {
        wa_message_id: id,
        chat,
        sender: chat,
        push_name: `Phone ${contact}`,
        type: "unavailable",
        content: { type: "unavailable", reason: "view_once" },
      },
    ]);
    await until(async () => (await scenario.waitingMail()) === 0, { what: "the acknowledgement" });
  });

  test.each([
    ["unanswered", "not_resent"],
    ["garbage", "undecryptable"],
  ])("%s is journaled after a wait, once", async (companions_get, reason) => {
    await pair();
    const { contact, write } = scenario;
    const { id } = await write(contact, { text: "are you open?", companions_get });
    expect(await journaled(1)).toMatchObject([{ wa_message_id: id, type: "unavailable", content: { reason } }]);
    // A message without an acknowledgement is redelivered after the restart.
    await until(async () => (await scenario.waitingMail()) === 0, { what: "the acknowledgement" });
    await scenario.restart();
    await scenario.shard.reaches(scenario.business, "open");
    await write(contact, { text: "hello?" });
    await until(async () => (await entries()).some(({ text }) => text === "hello?"), { what: "the next message" });
    expect((await entries()).filter(({ type }) => type === "unavailable")).toHaveLength(1);
  });

  test("keeps its time when the content comes later", async () => {
    await pair();
    const { contact, fault, write, simulator, shard, business } = scenario;
    // A request before the stop does not reach the phone.
    await fault("ack_refuse", { code: 503 });
    await write(contact, { text: "the first word", companions_get: "unavailable" });
    await until(async () => (await scenario.waitingMail()) === 0, { what: "the acknowledgement" });
    await shard.stop();
    await control(simulator, "DELETE", "/faults");
    scenario.start({ unavailableAfterMs: 1 });
    await scenario.shard.reaches(business, "open");
    const found = await until(
      async () => {
        const all = await entries();
        return all.some(({ text }) => text === "the first word") ? all : undefined;
      },
      { what: "the content" },
    );
    expect(found.map(({ type }) => type)).toEqual(["unavailable", "text"]);
    const [first, second] = found;
    expect(second).toMatchObject({ wa_message_id: first!.wa_message_id, timestamp: first!.timestamp });
    expect(simulator.simulation.stats.placeholders_asked).toBeGreaterThan(0);
  });

  test("is requested again after WhatsApp refused the request", async () => {
    await pair();
    // Longer than Baileys takes to forget a request.
    await scenario.restart({ unavailableAfterMs: 11_000 });
    await scenario.shard.reaches(scenario.business, "open");
    const { contact, write, fault, simulator } = scenario;
    const refused = simulator.simulation.stats.messages_refused;
    await fault("ack_refuse", { code: 503, times: 1 });
    await write(contact, { text: "the first word", companions_get: "unavailable" });
    await until(async () => (await entries()).some(({ text }) => text === "the first word"), {
      what: "the content",
      deadlineMs: 90_000,
    });
    expect(simulator.simulation.stats.messages_refused).toBe(refused + 1);
  });

  test("is journaled for few messages of a stranger", async () => {
    await pair();
    const { contact, write, simulator } = scenario;
    for (let n = 0; n < 60; n++) await write(contact, { text: "garbage", companions_get: "garbage" });
    await control(simulator, "POST", "/phones", { phone: "15559990001", name: "Customer" });
    await write("15559990001", { text: "a question", companions_get: "garbage" });
    await until(async () => (await entries()).some(({ chat }) => chat.startsWith("15559990001")), {
      what: "the customer's message",
    });
    const strangers = (await entries()).filter(({ chat }) => chat.startsWith(contact));
    expect(strangers.length).toBeGreaterThan(0);
    expect(strangers.length).toBeLessThanOrEqual(20);
    expect(await scenario.metric("prosaas_whatsapp_alarms_total")).toBe(0);
  });
});
