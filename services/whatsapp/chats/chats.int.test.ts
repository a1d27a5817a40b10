import { beforeEach, describe, expect, test } from "bun:test";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { until } from "../../../lib/testing/until.ts";
import { shardScenario } from "../testing/scenario.ts";
import { control, makePhone, newPhone } from "../testing/shard_under_test.ts";
import type { Simulator } from "../testing/shard_under_test.ts";

const scenario = shardScenario();
const { shard } = scenario;
let simulator: Simulator;
let business: string;
let phone: string;
let contact: string;

beforeEach(async () => {
  ({ simulator, business, phone, contact } = scenario);
  await shard.pair(simulator, business, phone);
});

const ask = (method: string, path: string, body?: object) =>
  shard.request(method, `/sessions/${business}/${path}`, body);
const phoneView = (number: string) =>
  control<{ available: boolean; seen_in: Record<string, string> }>(simulator, "GET", `/phones/${number}`);
const write = async (from: string, to: string) => {
  const count = (await shard.readJournal("inbound")).length;
  const { id } = await control<{ id: string }>(simulator, "POST", `/phones/${from}/messages`, { to, text: "hello" });
  await until(async () => (await shard.readJournal("inbound")).length > count, { what: "the message" });
  return id;
};
const sentStatus = async (number: string, id: string) => {
  const { data } = await control<{ data: { id: string; status: string }[] }>(
    simulator,
    "GET",
    `/phones/${number}/sent`,
  );
  return data.find((message) => message.id === id)?.status;
};

describe("chats", () => {
  test("show the business's presence, typing and recording", async () => {
    expect((await ask("POST", "presence", { presence: "available" })).status).toBe(204);
    await until(async () => (await phoneView(phone)).available, { what: "the business to be available" });
    const chat = `${contact}@s.whatsapp.net`;
    for (const [presence, seen] of Object.entries({ typing: "composing", recording: "recording", paused: "paused" })) {
      await ask("POST", "presence", { presence, chat });
      await until(async () => (await phoneView(contact)).seen_in[phone] === seen, { what: `${seen} to be seen` });
    }
    await ask("POST", "presence", { presence: "unavailable" });
    await until(async () => !(await phoneView(phone)).available, { what: "the business to be unavailable" });
    expect((await ask("POST", "presence", { presence: "typing" })).status).toBe(400);
  });

  test("tick the messages that are marked read", async () => {
    const [first, second, third] = [
      await write(contact, phone),
      await write(contact, phone),
      await write(contact, phone),
    ];
    await until(async () => (await sentStatus(contact, third)) === "delivered", { what: "the delivery" });
    const messages = [first, second].map((wa_message_id) => ({ wa_message_id }));
    expect((await ask("POST", "read", { chat: `${contact}@s.whatsapp.net`, messages })).status).toBe(204);
    await until(async () => (await sentStatus(contact, second)) === "read", { what: "the read mark" });
    expect(await sentStatus(contact, first)).toBe("read");
    expect(await sentStatus(contact, third)).toBe("delivered");
  });

  test("use the names that a group's members know", async () => {
    const other = newPhone();
    await makePhone(simulator, other);
    const members = [contact, other, phone];
    const { id: group } = await control<{ id: string }>(simulator, "POST", "/groups", {
      subject: "The staff",
      members,
    });
    const written = [
      { wa_message_id: await write(contact, group), sender: `${contact}@s.whatsapp.net` },
      { wa_message_id: await write(other, group), sender: `${other}@s.whatsapp.net` },
    ];
    expect((await ask("POST", "read", { chat: group, messages: written })).status).toBe(204);
    await until(async () => (await sentStatus(contact, written[0]!.wa_message_id)) === "read", {
      what: "the first read mark",
    });
    await until(async () => (await sentStatus(other, written[1]!.wa_message_id)) === "read", {
      what: "the second read mark",
    });
  });

  test("report which numbers have an account, in order", async () => {
    const unregistered = newPhone();
    await control(simulator, "POST", "/faults", { kind: "not_on_whatsapp", phone: unregistered });
    const { data } = await shard.json<{ data: object[] }>("POST", `/sessions/${business}/numbers`, {
      numbers: [contact, unregistered, contact],
    });
    const there = { number: contact, on_whatsapp: true, jid: `${contact}@s.whatsapp.net` };
    expect(data).toEqual([there, { number: unregistered, on_whatsapp: false }, there]);
  });

  test("find pictures, or none", async () => {
    const picture = async (query: string) => (await ask("GET", `picture?${query}`)).json();
    expect(await picture(`of=${contact}@s.whatsapp.net`)).toEqual({ url: null });
    await control(simulator, "POST", "/phones", { phone: contact, picture: "https://example.com/ada.jpg" });
    expect(await picture(`of=${contact}@s.whatsapp.net`)).toEqual({ url: "https://example.com/ada.jpg?size=preview" });
    expect(await picture(`of=${contact}@s.whatsapp.net&size=full`)).toEqual({
      url: "https://example.com/ada.jpg?size=image",
    });
  });

  test("wait for a reconnect, refuse without a phone", async () => {
    await control(simulator, "POST", "/faults", { kind: "drop", phone });
    await until(async () => (await shard.view(business)).status !== "open", {
      what: "the end to be noticed",
      everyMs: 5,
    });
    const asked = performance.now();
    const { status } = await ask("POST", "presence", { presence: "available" });
    // A request waits for three seconds, which a busy machine may need longer than.
    if (status !== 204) expect([status, performance.now() - asked > 2_900]).toEqual([503, true]);
    const stranger = uuidv7();
    expect((await shard.request("POST", `/sessions/${stranger}/presence`, { presence: "available" })).status).toBe(404);
    await shard.json("POST", `/sessions/${stranger}/connect`, { method: "qr" });
    expect((await shard.request("POST", `/sessions/${stranger}/presence`, { presence: "available" })).status).toBe(409);
  });

  test("time out when WhatsApp does not answer", async () => {
    await control(simulator, "POST", "/faults", { kind: "silence", phone });
    const started = Date.now();
    expect((await ask("POST", "numbers", { numbers: [contact] })).status).toBe(504);
    // The shard's caller gives up after 15 s.
    expect(Date.now() - started).toBeLessThan(15_000);
  });
});
