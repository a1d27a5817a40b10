import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { makePhone, newPhone, text } from "../testing/shard_under_test.ts";

const scenario = shardScenario();

const texts = async () => (await scenario.shard.readJournal("inbound")).map(({ data }) => data.text);
const received = (body: string) => until(async () => (await texts()).includes(body), { what: `"${body}"` });

describe("strangers", () => {
  test.each(["an unknown sender", "a known sender"])("cannot end a session with garbage: %s", async (who) => {
    const { shard, simulator, business, phone, contact, write } = scenario;
    await shard.pair(simulator, business, phone);
    if (who === "a known sender") {
      await write(contact, { text: "hello" });
      await received("hello");
    }
    const { stats } = simulator.simulation;
    const before = { logins: stats.logins, prekeys: stats.queries["encrypt"] };
    for (let n = 0; n < 60; n++) await write(contact, { text: "garbage", companions_get: "garbage" });
    const customer = newPhone();
    await makePhone(simulator, customer);
    await write(customer, { text: "a question" });
    await received("a question");
    expect({ logins: stats.logins, prekeys: stats.queries["encrypt"] }).toEqual(before);
    expect(await shard.view(business)).toMatchObject({ status: "open" });
    expect(await scenario.metric("prosaas_whatsapp_alarms_total")).toBe(0);
    expect((await shard.send(business, [text(customer, "an answer")]))[0]?.status).toBe("sent");
  });

  test("cannot end a session together with known customers", async () => {
    const { shard, simulator, business, phone, contact, write } = scenario;
    await shard.pair(simulator, business, phone);
    const customers = [contact, newPhone(), newPhone(), newPhone(), newPhone()];
    for (const customer of customers) {
      await makePhone(simulator, customer);
      await write(customer, { text: `hello from ${customer}` });
      await received(`hello from ${customer}`);
    }
    const { stats } = simulator.simulation;
    const before = { logins: stats.logins, opened: stats.connections_opened };
    for (let n = 0; n < 100; n++)
      await write(customers[n % customers.length]!, { text: "garbage", companions_get: "garbage" });
    await until(async () => (await scenario.waitingMail()) === 0, { what: "every acknowledgement" });
    await write(contact, { text: "a question" });
    await received("a question");
    expect({ logins: stats.logins, opened: stats.connections_opened }).toEqual(before);
    expect(await scenario.metric("prosaas_whatsapp_alarms_total")).toBe(0);
  });

  test("cause a bounded number of retry requests", async () => {
    const { shard, simulator, business, phone, contact, write } = scenario;
    await shard.pair(simulator, business, phone);
    const { stats } = simulator.simulation;
    const before = { retries: stats.retries_asked, placeholders: stats.placeholders_asked };
    for (let n = 0; n < 60; n++) await write(contact, { text: "garbage", companions_get: "garbage" });
    const customer = newPhone();
    await makePhone(simulator, customer);
    await write(customer, { text: "a question" });
    await received("a question");
    await until(async () => (await scenario.waitingMail()) === 0, { what: "every acknowledgement" });
    expect(stats.retries_asked - before.retries).toBeLessThanOrEqual(20);
    // The known customer is still asked as usual.
    await write(customer, { text: "unreadable once", companions_get: "garbage_once" });
    await received("unreadable once");
    expect(stats.placeholders_asked - before.placeholders).toBeLessThanOrEqual(21);
  });

  test("cannot have duplicates journaled or requested again", async () => {
    const { shard, simulator, business, phone, contact, write, fault } = scenario;
    await shard.pair(simulator, business, phone);
    // Both sides have used the session: its messages no longer carry the keys to start it.
    await write(contact, { text: "hello" });
    await received("hello");
    await shard.send(business, [text(contact, "good morning")]);
    await write(contact, { text: "a question" });
    await received("a question");
    const { stats } = simulator.simulation;
    const before = { logins: stats.logins, retries: stats.retries_asked };
    await fault("duplicate", { copies: 40, times: 2 });
    await write(contact, { text: "again and again" });
    await write(contact, { text: "and again" });
    await write(contact, { text: "the last one" });
    await received("the last one");
    await until(async () => (await scenario.waitingMail()) === 0, { what: "every acknowledgement" });
    expect(await texts()).toEqual(["hello", "a question", "again and again", "and again", "the last one"]);
    expect({ logins: stats.logins, retries: stats.retries_asked }).toEqual(before);
  });
});
