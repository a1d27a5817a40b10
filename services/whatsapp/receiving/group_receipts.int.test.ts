import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control, makePhone, newPhone, text } from "../testing/shard_under_test.ts";

const scenario = shardScenario();

/** Pairs the business, whose group has two other members. */
async function pairWithGroup(): Promise<string> {
  const { shard, simulator, business, phone, contact } = scenario;
  const other = newPhone();
  await makePhone(simulator, other);
  await shard.pair(simulator, business, phone);
  const body = { subject: "Team", members: [phone, contact, other] };
  return (await control<{ id: string }>(simulator, "POST", "/groups", body)).id;
}

/** The read receipts, once both members sent theirs. */
const readReceipts = () =>
  until(
    async () => {
      const receipts = (await scenario.shard.readJournal("receipts")).map(({ data }) => data);
      const read = receipts.filter(({ status }) => status === "read");
      return read.length === 2 ? read : undefined;
    },
    { what: "the receipts of both members" },
  );

describe("receipts of a group", () => {
  test("name each member and the number of members", async () => {
    const { shard, business } = scenario;
    const group = await pairWithGroup();
    const message = text(group, "to all");
    expect(await shard.send(business, [message])).toMatchObject([{ status: "sent", recipients: 2 }]);
    const read = await readReceipts();
    const receipt = { wa_message_id: message.wa_message_id, chat: group, recipients: 2 };
    expect(read).toMatchObject([receipt, receipt]);
    expect(new Set(read.map(({ member }) => member)).size).toBe(2);
  });

  test("name each member when WhatsApp combines them", async () => {
    const { shard, business } = scenario;
    const group = await pairWithGroup();
    await scenario.fault("ticks", { mode: "combined" });
    const message = text(group, "to all");
    await shard.send(business, [message]);
    const read = await readReceipts();
    const receipt = { wa_message_id: message.wa_message_id, chat: group, recipients: 2 };
    expect(read).toMatchObject([receipt, receipt]);
    expect(new Set(read.map(({ member }) => member)).size).toBe(2);
    await until(async () => (await scenario.waitingMail()) === 0, { what: "the acknowledgements" });
  });

  test("name the number of members after a restart", async () => {
    const { business } = scenario;
    const group = await pairWithGroup();
    await scenario.fault("ticks", { mode: "delayed", ms: 1_000, times: 4 });
    const message = text(group, "to all");
    await scenario.shard.send(business, [message]);
    await scenario.restart();
    await scenario.shard.reaches(business, "open");
    expect(await scenario.shard.send(business, [message])).toMatchObject([{ status: "sent", recipients: 2 }]);
    expect(await readReceipts()).toMatchObject([{ recipients: 2 }, { recipients: 2 }]);
  });
});
