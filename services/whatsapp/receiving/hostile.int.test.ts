import { describe, expect, test } from "bun:test";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { watchEventLoop } from "../../../lib/runtime/event_loop.ts";
import { until } from "../../../lib/testing/until.ts";
import { hostileKind } from "../../simulator/whatsapp/messages/hostile.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control, makePhone, newPhone } from "../testing/shard_under_test.ts";

const scenario = shardScenario();

const journaled = async (business: string) =>
  (await scenario.shard.readJournal("inbound"))
    .filter((entry) => entry.business_id === business)
    .map(({ data }) => data.text);

describe("hostile content", () => {
  test.each(hostileKind.options)("%s harms no session", async (kind) => {
    const { shard, simulator, business, phone, contact, write } = scenario;
    await shard.pair(simulator, business, phone);
    const [other, otherPhone] = [uuidv7(), newPhone()];
    await shard.pair(simulator, other, otherPhone);
    await write(contact, { text: "before" });
    await until(async () => (await journaled(business)).includes("before"), { what: "the first message" });

    const { stats } = simulator.simulation;
    const before = { logins: stats.logins, redelivered: stats.redelivered };
    const loop = watchEventLoop();
    await control(simulator, "POST", `/phones/${contact}/hostile`, { to: phone, kind });
    const customer = newPhone();
    await makePhone(simulator, customer);
    await control(simulator, "POST", `/phones/${customer}/messages`, { to: otherPhone, text: "to another business" });
    await write(contact, { text: "after" });
    await until(async () => (await journaled(business)).includes("after"), { what: "the message behind it" });
    await until(async () => (await journaled(other)).includes("to another business"), {
      what: "the other business's message",
    });
    for (const each of [phone, otherPhone])
      await until(async () => (await scenario.waitingMail(each)) === 0, { what: "every acknowledgement" });
    const { blockMs } = loop.take();
    loop.stop();

    expect(blockMs).toBeLessThan(250);
    expect({ logins: stats.logins, redelivered: stats.redelivered }).toEqual(before);
    expect(await shard.view(business)).toMatchObject({ status: "open" });
    expect(await shard.view(other)).toMatchObject({ status: "open" });
    // WhatsApp has nothing left to redeliver.
    await scenario.restart();
    await scenario.shard.reaches(business, "open");
    expect(stats.redelivered).toBe(before.redelivered);
  });
});
