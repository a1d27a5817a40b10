import { describe, expect, test } from "bun:test";
import { proto } from "@whiskeysockets/baileys";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { keptFor } from "./kept.ts";
import { KeptMessages } from "./kept_messages.ts";

const scenario = shardScenario();

/** Field 150, which no definition has. */
const wire = Buffer.from([0xb2, 0x09, 0x01, 0x78]).toString("base64");
const entries = async () => (await scenario.shard.readJournal("inbound")).map(({ data }) => data);
const journaled = (count: number) =>
  until(async () => ((found) => (found.length === count ? found : undefined))(await entries()), {
    what: `${count} journal entries`,
  });

describe("a message of an unknown kind", () => {
  test("is journaled, kept and decoded by a later version", async () => {
    const { shard, simulator, business, phone, contact, write } = scenario;
    await shard.pair(simulator, business, phone);
    const { id } = await write(contact, { wire });
    const [unknown] = await journaled(1);
    expect(unknown).toMatchObject({ wa_message_id: id, type: "unknown", content: { kind: "field 150" } });
    // A message without an acknowledgement is redelivered after the restart.
    await until(async () => (await scenario.waitingMail()) === 0, { what: "the acknowledgement" });
    const kept = new KeptMessages(shard.db);
    expect(kept.rowsOf(business, "unread")).toHaveLength(1);

    // A later version of the shard knows the kind: to this one, bytes that it knows look the same.
    await kept.removeAll(business);
    const known = proto.Message.encode({ conversation: "now readable" }).finish();
    await keptFor(business, kept, () => undefined).unread(unknown!, known);
    await scenario.restart();
    const found = await journaled(2);
    expect(found[1]).toMatchObject({
      wa_message_id: id,
      chat: unknown!.chat,
      timestamp: unknown!.timestamp,
      type: "text",
      text: "now readable",
    });
    await until(async () => new KeptMessages(scenario.shard.db).rowsOf(business).length === 0, { what: "no kept row" });
  });
});
