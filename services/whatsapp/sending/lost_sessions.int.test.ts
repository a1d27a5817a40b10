import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { deviceAddress } from "../../simulator/whatsapp/phones/signal.ts";
import { shardScenario } from "../testing/scenario.ts";
import { screenOf, text } from "../testing/shard_under_test.ts";

const scenario = shardScenario();

describe("a phone that lost its Signal sessions", () => {
  test("gets one new session for all messages in flight", async () => {
    const { simulator, shard, business, phone, contact } = scenario;
    await shard.pair(simulator, business, phone);
    expect((await shard.send(business, [text(contact, "before")]))[0]?.status).toBe("sent");
    const { phones, stats, store } = simulator.simulation;
    const address = deviceAddress(phone, [...phones.get(phone)!.devices.keys()][0]!);
    const messages = Array.from({ length: 48 }, (_, n) => text(contact, `${n}`));
    const decided = async () => (await shard.send(business, messages)).every(({ status }) => status === "sent");
    const { messages_accepted: before } = stats;
    const sending = until(decided, { what: "all messages to be decided", deadlineMs: 90_000 });
    await until(() => stats.messages_accepted > before, { what: "the first message", everyMs: 1 });
    phones.get(contact)!.signal.forget(address);
    await sending;
    await until(async () => (await screenOf(simulator, contact)).texts.length === 49, {
      what: "all messages",
      deadlineMs: 60_000,
    });
    store.flush();
    const { record } = store.db
      .query<{ record: string }, [string, string]>("SELECT record FROM sessions WHERE phone = ? AND address = ?")
      .get(contact, address.toString())!;
    const { _sessions: sessions } = JSON.parse(record) as { _sessions: object };
    expect((await screenOf(simulator, contact)).undecryptable).toBeGreaterThan(1);
    expect(Object.keys(sessions).length).toBeLessThan(3);
  }, 180_000);
});
