import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control, makePhone, newPhone, text } from "../testing/shard_under_test.ts";

const scenario = shardScenario();

describe("receipts of a group", () => {
  test("name each member and the number of members", async () => {
    const { shard, simulator, business, phone, contact } = scenario;
    const other = newPhone();
    await makePhone(simulator, other);
    await shard.pair(simulator, business, phone);
    const { id: group } = await control<{ id: string }>(simulator, "POST", "/groups", {
      subject: "Team",
      members: [phone, contact, other],
    });
    const message = text(group, "to all");
    expect(await shard.send(business, [message])).toMatchObject([{ status: "sent", recipients: 2 }]);
    const read = await until(
      async () => {
        const receipts = (await shard.readJournal("receipts")).map(({ data }) => data);
        const members = receipts.filter(({ status }) => status === "read");
        return members.length === 2 ? members : undefined;
      },
      { what: "the receipts of both members" },
    );
    expect(read).toMatchObject([
      { wa_message_id: message.wa_message_id, chat: group, recipients: 2 },
      { wa_message_id: message.wa_message_id, chat: group, recipients: 2 },
    ]);
    expect(new Set(read.map(({ member }) => member)).size).toBe(2);
  });
});
