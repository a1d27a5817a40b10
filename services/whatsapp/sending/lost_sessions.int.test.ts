import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import type { Mailbox } from "../../simulator/whatsapp/mail/mailbox.ts";
import type { BinaryNode } from "../../simulator/whatsapp/wire/stanza.ts";
import { deviceAddress } from "../../simulator/whatsapp/phones/signal.ts";
import { shardScenario } from "../testing/scenario.ts";
import { screenOf, text } from "../testing/shard_under_test.ts";

const scenario = shardScenario();

/** When a phone offers keys for a session. */
type Offer = "first" | "second" | "never";

/** The simulator's retry receipt, as of a phone that offers its keys with another request. */
function offering(offer: Offer, receipt: BinaryNode): BinaryNode {
  const children = receipt.content as BinaryNode[];
  if (offer === "never") return { ...receipt, content: children.filter(({ tag }) => tag !== "keys") };
  const count = offer === "first" ? "1" : "2";
  const counted = ({ attrs, ...child }: BinaryNode) => ({ ...child, attrs: { ...attrs, count } });
  return { ...receipt, content: children.map((child) => (child.tag === "retry" ? counted(child) : child)) };
}

/** Holds the first retry receipt until there is a second: two messages are in flight under the lost session. */
function holdFirstRetry(mailbox: Mailbox, offer: Offer): void {
  const put = mailbox.put.bind(mailbox);
  let first: BinaryNode | undefined;
  let isHeld = true;
  mailbox.put = (stanza, options) => {
    if (stanza.attrs["type"] !== "retry") return put(stanza, options);
    const receipt = offering(offer, stanza);
    if (isHeld && first === undefined) return void (first = receipt);
    if (isHeld) put(first!);
    isHeld = false;
    put(receipt, options);
  };
}

describe("a phone that lost its Signal sessions", () => {
  test.each<Offer>(["first", "second", "never"])(
    "gets one new session: keys offered %s",
    async (offer) => {
      const { simulator, shard, business, phone, contact } = scenario;
      await shard.pair(simulator, business, phone);
      expect((await shard.send(business, [text(contact, "before")]))[0]?.status).toBe("sent");
      const { phones, store } = simulator.simulation;
      const [device] = phones.get(phone)!.devices.values();
      const address = deviceAddress(phone, device!.id);
      holdFirstRetry(device!.mailbox, offer);
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
    },
    180_000,
  );
});
