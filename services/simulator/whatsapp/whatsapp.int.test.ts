import type { WAMessage, WASocket } from "@whiskeysockets/baileys";
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { connect, connectionUpdate, ending, memoryAuth, opened, trust } from "../testing/client.ts";
import type { MemoryAuth } from "../testing/client.ts";
import { deviceAddress } from "./phones/signal.ts";
import { control, freshPhone, paired } from "../testing/control.ts";
import type { Simulator } from "../simulator.ts";
import { startSimulator } from "../simulator.ts";

// Each test pairs and logs in real Baileys, on a machine that may run other tests at the same time.
setDefaultTimeout(30_000);

let simulator: Simulator;
let api: ReturnType<typeof control>;
const sockets: WASocket[] = [];

beforeAll(() => {
  simulator = startSimulator();
  api = control(simulator.url);
  trust(simulator.rootBase64);
});

afterEach(async () => {
  for (const sock of sockets.splice(0)) await sock.end(undefined);
  await api.delete("/faults");
});

afterAll(() => simulator.stop());

/** Creates a client that `afterEach` closes. */
function client(auth: MemoryAuth, options: Parameters<typeof connect>[2] = {}): WASocket {
  const sock = connect(simulator.wsUrl, auth, options);
  sockets.push(sock);
  return sock;
}

async function openClient(auth: MemoryAuth, options: Parameters<typeof connect>[2] = {}): Promise<WASocket> {
  const sock = client(auth, options);
  await opened(sock);
  return sock;
}

/** Records a client's message events: the highest status of each own message, received texts, and acknowledgements. */
function observe(sock: WASocket) {
  const statuses = new Map<string, number>();
  const received: { text: string | null | undefined; type: string; message: WAMessage }[] = [];
  const acks: Record<string, string>[] = [];
  const raise = (id: string | null | undefined, status: number | null | undefined) => {
    if (id && typeof status === "number") statuses.set(id, Math.max(status, statuses.get(id) ?? 0));
  };
  sock.ev.on("messages.upsert", ({ messages, type }) => {
    for (const message of messages) {
      if (message.key.fromMe) raise(message.key.id, message.status);
      const text = message.message?.conversation;
      if (text) received.push({ text, type, message });
    }
  });
  sock.ev.on("messages.update", (updates) => {
    for (const { key, update } of updates) raise(key.id, update.status);
  });
  sock.ws.on("CB:ack,class:message", ({ attrs }: { attrs: Record<string, string> }) => acks.push(attrs));
  return { statuses, received, acks };
}

type PhoneView = { devices: { device: number; online: boolean; waiting: number }[] };

const jid = (phone: string) => `${phone}@s.whatsapp.net`;
const deliveredStatus = 3;
const readStatus = 4;

describe("pairing", () => {
  test("by QR code links the client, which logs in", async () => {
    const { phone, auth } = await paired(simulator);
    expect(auth.creds.me?.name).toBe(`Shop ${phone}`);
    await openClient(auth);
    const { body } = await api.get<PhoneView>(`/phones/${phone}`);
    expect(body.devices).toMatchObject([{ device: 1, online: true }]);
  });

  test("refuses an unknown QR code", async () => {
    const phone = freshPhone();
    await api.post("/phones", { phone });
    expect((await api.post(`/phones/${phone}/scan`, { qr: "2@abc,a,b,c,1" })).status).toBe(409);
  });

  test("by pairing code links the client; refuses wrong codes", async () => {
    const phone = freshPhone();
    await api.post("/phones", { phone, name: "By code" });
    const auth = memoryAuth();
    const sock = client(auth);
    await connectionUpdate(sock, (update) => update.qr);
    const code = await sock.requestPairingCode(phone);
    expect((await api.post(`/phones/${phone}/enter_code`, { code: "AAAAAAAA" })).status).toBe(409);
    const ended = ending(sock);
    expect((await api.post(`/phones/${phone}/enter_code`, { code })).status).toBe(200);
    expect(await ended).toBe(515);
    await openClient(auth);
    expect(auth.creds.me?.id).toBe(`${phone}:2@s.whatsapp.net`);
  });

  test("ends by a logout, after which login fails", async () => {
    const { phone, auth } = await paired(simulator);
    const sock = await openClient(auth);
    await sock.logout();
    await until(async () => (await api.get<PhoneView>(`/phones/${phone}`)).body.devices.length === 0, {
      what: "the removal of the device",
    });
    expect(await ending(client(auth))).toBe(401);
  });
});

describe("messages", () => {
  test("from a client are shown, acknowledged and ticked", async () => {
    const { phone, auth } = await paired(simulator);
    const contact = freshPhone();
    const sock = await openClient(auth);
    const { statuses, acks } = observe(sock);
    const sent = await sock.sendMessage(jid(contact), { text: "two pizzas, please" });
    const id = sent!.key.id!;
    await until(() => statuses.get(id) === readStatus, { what: "the read tick" });
    expect(acks.map((ack) => [ack["id"], ack["error"]])).toEqual([[id, undefined]]);
    expect((await api.messages(contact)).data).toMatchObject([
      { id, sender: phone, chat: phone, from_me: false, type: "text", text: "two pizzas, please" },
    ]);
    expect((await api.messages(phone)).data).toMatchObject([
      { id, chat: contact, from_me: true, text: "two pizzas, please" },
    ]);
  });

  test("of one chat keep their order", async () => {
    const { auth } = await paired(simulator);
    const contact = freshPhone();
    const sock = await openClient(auth);
    const texts = Array.from({ length: 30 }, (_, index) => `message ${index}`);
    for (const text of texts) await sock.sendMessage(jid(contact), { text });
    await until(async () => (await api.texts(contact)).length === texts.length, { what: "all messages" });
    expect(await api.texts(contact)).toEqual(texts);
  });

  test("from a contact reach the client and get receipts", async () => {
    const { phone, auth } = await paired(simulator);
    const contact = freshPhone();
    await api.post("/phones", { phone: contact, name: "Ada" });
    const sock = await openClient(auth);
    const { received } = observe(sock);
    await api.post(`/phones/${contact}/messages`, { to: phone, text: "are you open?" });
    await until(() => received.length > 0, { what: "the message" });
    expect(received[0]?.message).toMatchObject({ key: { remoteJid: jid(contact), fromMe: false }, pushName: "Ada" });
    await sock.readMessages([received[0]!.message.key]);
    await until(
      async () =>
        (await api.get<{ data: { status: string }[] }>(`/phones/${contact}/sent`)).body.data[0]?.status === "read",
      {
        what: "the read receipt",
      },
    );
  });

  test("from the own phone reach the client as own", async () => {
    const { phone, auth } = await paired(simulator);
    const contact = freshPhone();
    const sock = await openClient(auth);
    const { received } = observe(sock);
    await api.post(`/phones/${phone}/messages`, { to: contact, text: "by hand" });
    await until(() => received.length > 0, { what: "the copy" });
    expect(received[0]?.message.key).toMatchObject({ remoteJid: jid(contact), fromMe: true });
    expect(await api.texts(contact)).toEqual(["by hand"]);
    await sock.sendMessage(jid(contact), { text: "by the client" });
    await until(async () => (await api.texts(contact)).length === 2, { what: "the answer of the client" });
  });

  test("are deduplicated by id", async () => {
    const { auth } = await paired(simulator);
    const contact = freshPhone();
    const sock = await openClient(auth);
    for (let attempt = 0; attempt < 2; attempt++)
      await sock.sendMessage(jid(contact), { text: "once" }, { messageId: "3EB0AAAAAAAAAAAAAAAAAA" });
    await until(async () => (await api.messages(contact)).duplicates === 1, { what: "the duplicate" });
    expect(await api.texts(contact)).toEqual(["once"]);
  });

  test("are resent after the phone lost the session", async () => {
    const { auth } = await paired(simulator);
    const contact = freshPhone();
    const messages = new Map<string, string>();
    const sock = await openClient(auth, {
      getMessage: async ({ id }) => ({ conversation: messages.get(id ?? "") ?? "" }),
    });
    const sendText = async (text: string, id: string) => {
      messages.set(id, text);
      await sock.sendMessage(jid(contact), { text }, { messageId: id });
    };
    await sendText("first", "3EB0000000000000000001");
    await until(async () => (await api.texts(contact)).length === 1, { what: "the first message" });
    // After the client has decrypted an answer, its messages no longer contain the session's keys.
    const { received } = observe(sock);
    await api.post(`/phones/${contact}/messages`, { to: sock.user!.id.split(":")[0]!, text: "yes?" });
    await until(() => received.length === 1, { what: "the answer" });
    await sendText("second", "3EB0000000000000000002");
    await until(async () => (await api.texts(contact)).length === 2, { what: "the second message" });
    const phone = simulator.simulation.phones.obtain(contact);
    phone.signal.forget(deviceAddress(sock.user!.id.split(":")[0]!, 1));
    await sendText("third", "3EB0000000000000000003");
    await until(async () => (await api.texts(contact)).length === 3, { what: "the message sent again" });
    expect(await api.texts(contact)).toEqual(["first", "second", "third"]);
    expect((await api.messages(contact)).undecryptable).toBe(1);
  });

  test("are resent after the client lost the session", async () => {
    const { phone, auth } = await paired(simulator);
    const contact = freshPhone();
    const sock = await openClient(auth);
    const { received } = observe(sock);
    await api.post(`/phones/${contact}/messages`, { to: phone, text: "first" });
    await until(() => received.length === 1, { what: "the first message" });
    await sock.sendMessage(jid(contact), { text: "answer, so that the contact's next one brings no new session" });
    await until(async () => (await api.texts(contact)).length === 1, { what: "the answer" });
    const { lid } = (await api.get<{ lid: string }>(`/phones/${contact}`)).body;
    await auth.keys.set({ session: { [`${lid}_1.0`]: null } });
    await api.post(`/phones/${contact}/messages`, { to: phone, text: "second" });
    await until(() => received.length === 2, { what: "the message written again" });
    expect(received.map(({ text }) => text)).toEqual(["first", "second"]);
    await until(async () => (await api.get<PhoneView>(`/phones/${phone}`)).body.devices[0]?.waiting === 0, {
      what: "the acknowledgements",
    });
  });

  test("from new contacts make the client upload one-time keys", async () => {
    const { phone, auth } = await paired(simulator);
    const sock = await openClient(auth);
    const device = simulator.simulation.phones.obtain(phone).devices.get(1)!;
    while (device.preKeyCount > 5) device.takeBundle();
    const { received } = observe(sock);
    await api.post(`/phones/${freshPhone()}/messages`, { to: phone, text: "from somebody new" });
    await until(() => device.preKeyCount > 5, { what: "an upload of keys" });
    await until(() => received.length === 1, { what: "the message" });
  });

  test("received offline are delivered after login, marked offline", async () => {
    const { phone, auth } = await paired(simulator);
    const contact = freshPhone();
    const first = await openClient(auth);
    await until(() => auth.creds.accountSyncCounter > 0, {
      what: "the history, until which a client buffers its events",
    });
    await first.end(undefined);
    await until(async () => (await api.get<PhoneView>(`/phones/${phone}`)).body.devices[0]?.online === false, {
      what: "the client's disconnect",
    });
    for (const text of ["one", "two", "three"]) await api.post(`/phones/${contact}/messages`, { to: phone, text });
    const sock = client(auth);
    const { received } = observe(sock);
    const offline: string[] = [];
    sock.ws.on("CB:message", ({ attrs }: { attrs: Record<string, string> }) =>
      offline.push(attrs["offline"] ?? "live"),
    );
    await until(() => received.length === 3, { what: "the backlog" });
    expect(received.map(({ text }) => text)).toEqual(["one", "two", "three"]);
    expect(offline).not.toContain("live");
    await until(async () => (await api.get<PhoneView>(`/phones/${phone}`)).body.devices[0]?.waiting === 0, {
      what: "the acknowledgements",
    });
  });

  test("between two businesses reach both devices", async () => {
    const [one, two] = [await paired(simulator), await paired(simulator)];
    const [first, second] = [await openClient(one.auth), await openClient(two.auth)];
    const [atFirst, atSecond] = [observe(first), observe(second)];
    const sent = await first.sendMessage(jid(two.phone), { text: "hello, shop" });
    await until(() => atFirst.statuses.get(sent!.key.id!) === readStatus, { what: "the ticks" });
    await second.sendMessage(jid(one.phone), { text: "hello yourself" });
    await until(async () => (await api.texts(one.phone)).includes("hello yourself"), { what: "the answer" });
    expect(await api.texts(two.phone)).toContain("hello, shop");
    expect(atSecond.statuses.size).toBeGreaterThan(0);
  });
});

describe("faults", () => {
  const endings: [string, Record<string, unknown>, number][] = [
    ["a dropped connection", { kind: "drop" }, 428],
    ["a connection dropped after some frames", { kind: "drop", after_frames: 1 }, 428],
    ["another login of the device", { kind: "replaced" }, 440],
    ["removal on the phone", { kind: "logged_out" }, 401],
    ["an unavailable server", { kind: "unavailable" }, 503],
    ["a restart", { kind: "restart" }, 515],
  ];
  test.each(endings)("%s ends the client with its status", async (_name, fault, status) => {
    const { phone, auth } = await paired(simulator);
    const sock = await openClient(auth);
    const ended = ending(sock);
    expect((await api.post<{ struck: number }>("/faults", { ...fault, phone })).body.struck).toBe(1);
    await sock.sendPresenceUpdate("available").catch(() => undefined);
    expect(await ended).toBe(status);
  });

  test.each(["401", "403", "405", "503"])("login_failure %s refuses one login", async (reason) => {
    const { phone, auth } = await paired(simulator);
    await api.post("/faults", { kind: "login_failure", reason, phone, times: 1 });
    expect(await ending(client(auth))).toBe(Number(reason));
    await openClient(auth);
  });

  test("a second connection of a login replaces the first", async () => {
    const { auth } = await paired(simulator);
    const first = await openClient(auth);
    const ended = ending(first);
    await openClient(auth);
    expect(await ended).toBe(440);
  });

  test("ack_refuse acknowledges with an error and shows nothing", async () => {
    const { phone, auth } = await paired(simulator);
    const contact = freshPhone();
    const sock = await openClient(auth);
    const { acks } = observe(sock);
    await api.post("/faults", { kind: "ack_refuse", code: 463, phone, times: 1 });
    const sent = await sock.sendMessage(jid(contact), { text: "refused" });
    await until(() => acks.length === 1, { what: "the refusal" });
    expect(acks[0]).toMatchObject({ id: sent!.key.id!, error: "463" });
    await sock.sendMessage(jid(contact), { text: "accepted" });
    await until(() => acks.length === 2, { what: "the acknowledgement" });
    expect(await api.texts(contact)).toEqual(["accepted"]);
  });

  test("ack_delay and ack_lost delay and drop acknowledgements", async () => {
    const { phone, auth } = await paired(simulator);
    const contact = freshPhone();
    const sock = await openClient(auth);
    const { acks } = observe(sock);
    await api.post("/faults", { kind: "ack_lost", phone, times: 1 });
    await sock.sendMessage(jid(contact), { text: "lost ack" });
    await api.post("/faults", { kind: "ack_delay", ms: 150, phone, times: 1 });
    const start = performance.now();
    const second = await sock.sendMessage(jid(contact), { text: "late ack" });
    await until(() => acks.length === 1, { what: "the late acknowledgement" });
    expect(performance.now() - start).toBeGreaterThanOrEqual(149);
    expect(acks[0]?.["id"]).toBe(second!.key.id!);
    expect(await api.texts(contact)).toEqual(["lost ack", "late ack"]);
  });

  test("duplicate delivers a message twice under one id", async () => {
    const { phone, auth } = await paired(simulator);
    const sock = await openClient(auth);
    const ids: string[] = [];
    sock.ws.on(
      "CB:message,notify",
      ({ attrs }: { attrs: Record<string, string> }) => attrs["category"] || ids.push(attrs["id"]!),
    );
    await api.post("/faults", { kind: "duplicate", phone, times: 1 });
    const { body } = await api.post<{ id: string }>(`/phones/${freshPhone()}/messages`, { to: phone, text: "twice" });
    await until(() => ids.length === 2, { what: "both copies" });
    expect(ids).toEqual([body.id, body.id]);
  });

  test("ticks reverses or suppresses receipts", async () => {
    const { auth } = await paired(simulator);
    const [reversed, none] = [freshPhone(), freshPhone()];
    const sock = await openClient(auth);
    const ticks: string[] = [];
    sock.ws.on("CB:receipt", ({ attrs }: { attrs: Record<string, string> }) =>
      ticks.push(`${attrs["from"]} ${attrs["type"] ?? "delivered"}`),
    );
    await api.post("/faults", { kind: "ticks", mode: "reversed", phone: reversed });
    await api.post("/faults", { kind: "ticks", mode: "none", phone: none });
    await sock.sendMessage(jid(none), { text: "unseen" });
    await sock.sendMessage(jid(reversed), { text: "seen" });
    await until(() => ticks.length === 2, { what: "two ticks" });
    expect(ticks).toEqual([`${jid(reversed)} read`, `${jid(reversed)} delivered`]);
    expect(await api.texts(none)).toEqual(["unseen"]);
  });

  test("a phone with delivered ticks sends no read receipt", async () => {
    const { auth } = await paired(simulator);
    const contact = freshPhone();
    await api.post("/phones", { phone: contact, ticks: "delivered" });
    const sock = await openClient(auth);
    const { statuses } = observe(sock);
    const sent = await sock.sendMessage(jid(contact), { text: "grey ticks" });
    await until(() => statuses.get(sent!.key.id!) === deliveredStatus, { what: "the delivered tick" });
  });

  test("not_on_whatsapp hides a number and refuses messages", async () => {
    const { auth } = await paired(simulator);
    const contact = freshPhone();
    await api.post("/faults", { kind: "not_on_whatsapp", phone: contact });
    const sock = await openClient(auth);
    expect(await sock.onWhatsApp(jid(contact))).toEqual([]);
    expect(await sock.onWhatsApp(jid(freshPhone()))).toMatchObject([{ exists: true }]);
    const { acks } = observe(sock);
    await sock.sendMessage(jid(contact), { text: "anybody?" });
    await until(() => acks.length === 1, { what: "the refusal" });
    expect(acks[0]?.["error"]).toBe("404");
  });

  test("unavailable at upgrade refuses one WebSocket", async () => {
    const { auth } = await paired(simulator);
    await api.post("/faults", { kind: "unavailable", at: "upgrade", times: 1 });
    expect(await ending(client(auth, { connectTimeoutMs: 300 }))).toBeOneOf([408, 503, 428]);
    await openClient(auth);
  });

  test("silence makes the client close the connection", async () => {
    const { phone, auth } = await paired(simulator);
    const sock = await openClient(auth, { keepAliveIntervalMs: 100 });
    const ended = ending(sock);
    await api.post("/faults", { kind: "silence", phone });
    expect(await ended).toBe(408);
  });

  test("silence with answer_pings drops messages but answers queries", async () => {
    const { phone, auth } = await paired(simulator);
    const contact = freshPhone();
    const sock = await openClient(auth);
    const { acks } = observe(sock);
    await sock.sendMessage(jid(contact), { text: "before" });
    await until(() => acks.length === 1, { what: "the acknowledgement of the first message" });
    await api.post("/faults", { kind: "silence", phone, answer_pings: true });
    await sock.sendMessage(jid(contact), { text: "into the void" });
    expect(await sock.onWhatsApp(jid(contact))).toMatchObject([{ exists: true }]);
    expect(acks).toHaveLength(1);
    expect(await api.texts(contact)).toEqual(["before"]);
  });
});
