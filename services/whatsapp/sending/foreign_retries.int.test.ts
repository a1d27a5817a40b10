import { describe, expect, test } from "bun:test";
import { watchEventLoop } from "../../../lib/runtime/event_loop.ts";
import { until } from "../../../lib/testing/until.ts";
import { requestRetry } from "../../simulator/whatsapp/messages/show.ts";
import { phoneJid } from "../../simulator/whatsapp/wire/jid.ts";
import { node, nowS } from "../../simulator/whatsapp/wire/stanza.ts";
import type { BinaryNode } from "../../simulator/whatsapp/wire/stanza.ts";
import { shardScenario } from "../testing/scenario.ts";
import { makePhone, newPhone, screenOf, text } from "../testing/shard_under_test.ts";

/* Retry receipts and ticks of people who are not the recipients of the message that they name. */

const scenario = shardScenario();

const phoneOf = (number: string) => scenario.simulator.simulation.phones.get(number)!;
/** The business's device. */
const device = () => [...phoneOf(scenario.phone).devices.values()][0]!;
const answered = () => until(async () => (await scenario.waitingMail()) === 0, { what: "the acknowledgements" });

const retryOf = (from: string, id: string, items: BinaryNode[] = []) =>
  node("receipt", { from: phoneJid(from), id, type: "retry", t: nowS() }, [
    node("retry", { count: "1", id, t: nowS(), v: "1" }, items),
  ]);

/** Pairs the business and sends a message to its group. */
async function sendToGroup() {
  const { shard, simulator, business, phone, contact } = scenario;
  await shard.pair(simulator, business, phone);
  const message = text(await scenario.makeGroup(), "to all");
  await shard.send(business, [message]);
  await until(async () => (await screenOf(simulator, contact)).texts.length === 1, {
    what: "the message in the group",
  });
  return message.wa_message_id;
}

describe("a stranger who knows the id of a message", () => {
  test("does not get it", async () => {
    const { simulator } = scenario;
    const stranger = newPhone();
    await makePhone(simulator, stranger);
    const id = await sendToGroup();
    const sender = { phone: phoneOf(scenario.phone), device: device() };
    requestRetry(phoneOf(stranger), { id, sender, from: phoneJid(stranger) });
    await answered();
    await scenario.shard.send(scenario.business, [text(stranger, "to the stranger")]);
    await until(async () => (await screenOf(simulator, stranger)).texts.length > 0, { what: "the stranger's message" });
    expect((await screenOf(simulator, stranger)).texts).toEqual(["to the stranger"]);
  });

  test("cannot mark it as read", async () => {
    const { shard, contact } = scenario;
    const id = await sendToGroup();
    await answered();
    device().mailbox.put(node("receipt", { from: phoneJid(contact), id, type: "read", t: nowS() }));
    await answered();
    const receipts = (await shard.readJournal("receipts")).map(({ data }) => data);
    expect(receipts.filter(({ member }) => member == null)).toEqual([]);
  });
});

describe("a flood of retry receipts", () => {
  test("for unknown messages fetches no keys", async () => {
    const { shard, simulator, business, phone, contact } = scenario;
    await shard.pair(simulator, business, phone);
    await shard.send(business, [text(contact, "hello")]);
    const { stats } = simulator.simulation;
    const before = stats.queries["encrypt"];
    for (let n = 0; n < 30; n++) device().mailbox.put(retryOf(contact, `UNKNOWN${n}`));
    await answered();
    expect(stats.queries["encrypt"]).toBe(before);
  });

  test("in one stanza keeps the event loop free", async () => {
    const { shard, simulator, business, phone, contact } = scenario;
    await shard.pair(simulator, business, phone);
    const message = text(contact, "x".repeat(60_000));
    await shard.send(business, [message]);
    await answered();
    const id = message.wa_message_id;
    const loop = watchEventLoop();
    device().mailbox.put(
      retryOf(
        contact,
        id,
        Array.from({ length: 10_000 }, () => node("item", { id })),
      ),
    );
    await answered();
    const { blockMs } = loop.take();
    loop.stop();
    expect(blockMs).toBeLessThan(250);
  });
});
