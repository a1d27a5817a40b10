import { proto } from "@whiskeysockets/baileys";
import { describe, expect, test } from "bun:test";
import type { StatusData } from "../../../lib/contracts/shard/schemas.ts";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { statusShare } from "./statuses.ts";

const scenario = shardScenario();
const chat = "status@broadcast";

const post = (from: string, body: object) => scenario.write(from, { to: chat, audience: [scenario.phone], ...body });
const receive = (statuses: boolean) =>
  scenario.shard.json("PUT", `/sessions/${scenario.business}/settings`, { statuses });
const journaled = async (): Promise<StatusData[]> =>
  (await scenario.shard.readJournal("events")).flatMap(({ data }) => (data.event === "status.received" ? data : []));
/** Waits for a message that the customer writes now: what was posted before was taken or dropped. */
const passed = async (text: string) => {
  await scenario.contactWrites(text);
  await until(async () => (await scenario.received()).includes(text), { what: "the message behind the statuses" });
};

describe("contacts' statuses", () => {
  test("are journaled if the business wants them", async () => {
    const { shard, simulator, business, phone, contact, received, waitingMail } = scenario;
    await shard.pair(simulator, business, phone);
    await receive(true);
    const { id } = await post(contact, { text: "my holiday" });
    await passed("a question");
    expect(await journaled()).toEqual([
      {
        event: "status.received",
        status_id: id,
        sender: `${contact}@s.whatsapp.net`,
        sender_name: `Phone ${contact}`,
        type: "text",
        text: "my holiday",
        posted_at: expect.any(String),
      },
    ]);
    expect(await received()).toEqual(["a question"]);
    await until(async () => (await waitingMail()) === 0, { what: "the acknowledgements" });
    await receive(false);
    await post(contact, { text: "my return" });
    await passed("another question");
    expect(await journaled()).toHaveLength(1);
  });

  test.each([true, false])("in own stanzas are no messages (wanted: %p)", async (wanted) => {
    const { shard, simulator, business, phone, contact, received, waitingMail, metric } = scenario;
    await shard.pair(simulator, business, phone);
    await receive(wanted);
    await post(contact, { text: "my holiday", stanza: "status" });
    await post(contact, { text: "my return", stanza: "status", companions_get: "garbage" });
    await passed("a question");
    expect((await journaled()).map(({ text }) => text)).toEqual(wanted ? ["my holiday"] : []);
    expect(await received()).toEqual(["a question"]);
    await until(async () => (await waitingMail()) === 0, { what: "the acknowledgements" });
    expect(await metric("prosaas_whatsapp_alarms_total")).toBe(0);
  });

  test("stay on after a restart and a new connect", async () => {
    const { shard, simulator, business, phone, contact } = scenario;
    await shard.pair(simulator, business, phone);
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr", statuses: true });
    await scenario.restart();
    await shard.reaches(business, "open");
    await post(contact, { text: "my holiday" });
    await passed("a question");
    expect((await journaled()).map(({ text }) => text)).toEqual(["my holiday"]);
  });

  test("show captions and withdrawals, and no own status", async () => {
    const { shard, simulator, business, phone, contact } = scenario;
    await shard.pair(simulator, business, phone);
    await receive(true);
    await post(phone, { text: "our offers" });
    const picture = proto.Message.encode({ imageMessage: { mimetype: "image/jpeg", caption: "the sea" } }).finish();
    const { id } = await post(contact, { wire: Buffer.from(picture).toString("base64") });
    await post(contact, { type: "delete", target: { wa_message_id: id, from_me: true } });
    await passed("a question");
    expect(await journaled()).toMatchObject([
      { status_id: id, type: "image", text: "the sea" },
      { status_id: id, type: "withdrawn", text: null },
    ]);
  });

  test.each([true, false])("that are undecryptable withhold no messages (wanted: %p)", async (wanted) => {
    const { shard, simulator, business, phone, contact, contactWrites, received } = scenario;
    await shard.pair(simulator, business, phone);
    await receive(wanted);
    await post(contact, { text: "my holiday", companions_get: "garbage" });
    await passed("a question");
    await shard.stop();
    await contactWrites("another question");
    scenario.start();
    await shard.reaches(business, "open");
    await until(async () => (await received()).includes("another question"), { what: "the message behind the status" });
    await until(async () => (await scenario.waitingMail()) === 0, { what: "the acknowledgements" });
  });

  test("are bounded for each contact", async () => {
    const { shard, simulator, business, phone, contact } = scenario;
    await shard.pair(simulator, business, phone);
    await receive(true);
    for (let n = 0; n < statusShare.contact + 5; n++) await post(contact, { text: `${n}` });
    await passed("a question");
    expect(await journaled()).toHaveLength(statusShare.contact);
    expect(await scenario.metric('prosaas_whatsapp_statuses_total\\{result="dropped"')).toBe(5);
  });
});
