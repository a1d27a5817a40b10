import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import type { Mailbox } from "../../simulator/whatsapp/mail/mailbox.ts";
import type { BinaryNode } from "../../simulator/whatsapp/wire/stanza.ts";
import { deviceAddress } from "../../simulator/whatsapp/phones/signal.ts";
import { shardScenario } from "../testing/scenario.ts";
import { screenOf, text } from "../testing/shard_under_test.ts";

const scenario = shardScenario();

/** Holds the first retry receipt until there is a second: two messages are in flight under the lost session. */
function holdFirstRetry(mailbox: Mailbox): void {
  const put = mailbox.put.bind(mailbox);
  let first: BinaryNode | undefined;
  mailbox.put = (stanza, options) => {
    if (stanza.attrs["type"] !== "retry") return put(stanza, options);
    if (first === undefined) return void (first = stanza);
    mailbox.put = put;
    put(first);
    put(stanza, options);
  };
}

describe("a phone that lost its Signal sessions", () => {
  test("gets one new session for all messages in flight", async () => {
    const { simulator, shard, business, phone, contact } = scenario;
    await shard.pair(simulator, business, phone);
    expect((await shard.send(business, [text(contact, "before")]))[0]?.status).toBe("sent");
    const { phones, store } = simulator.simulation;
    const [device] = phones.get(phone)!.devices.values();
    const address = deviceAddress(phone, device!.id);
    holdFirstRetry(device!.mailbox);
    const messages = Array.from({ length: 48 }, (_, n) => text(contact, `${n}`));
    const decided = async () => (await shard.send(business, messages)).every(({ status }) => status === "sent");
    phones.get(contact)!.signal.forget(address);
    await until(decided, { what: "all messages to be decided", deadlineMs: 90_000 });
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
