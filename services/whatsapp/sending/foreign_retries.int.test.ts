import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { requestRetry } from "../../simulator/whatsapp/messages/show.ts";
import { phoneJid } from "../../simulator/whatsapp/wire/jid.ts";
import { node, nowS } from "../../simulator/whatsapp/wire/stanza.ts";
import { shardScenario } from "../testing/scenario.ts";
import { makePhone, newPhone, screenOf, text } from "../testing/shard_under_test.ts";

/* Retry receipts and ticks of people who are not the recipients of the message that they name. */

const scenario = shardScenario();

const phoneOf = (number: string) => scenario.simulator.simulation.phones.get(number)!;
/** The business's device. */
const device = () => [...phoneOf(scenario.phone).devices.values()][0]!;
const answered = () => until(async () => (await scenario.waitingMail()) === 0, { what: "the acknowledgements" });

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
