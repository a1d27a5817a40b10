import { describe, expect, test } from "bun:test";
import { until } from "../../../../lib/testing/until.ts";
import { freshPhone, paired } from "../../testing/control.ts";
import { jid, observe, readStatus, simulatorScenario } from "../../testing/scenario.ts";
import type { PhoneView } from "../../testing/scenario.ts";
import { deviceAddress } from "../phones/signal.ts";

const scenario = simulatorScenario();

describe("messages", () => {
  test("reach the contact and the own phone, with ticks", async () => {
    const { simulator, api, openClient } = scenario;
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

  test("of one chat are shown in order", async () => {
    const { simulator, api, openClient } = scenario;
    const { auth } = await paired(simulator);
    const contact = freshPhone();
    const sock = await openClient(auth);
    const texts = Array.from({ length: 30 }, (_, index) => `message ${index}`);
    for (const text of texts) await sock.sendMessage(jid(contact), { text });
    await until(async () => (await api.texts(contact)).length === texts.length, { what: "all messages" });
    expect(await api.texts(contact)).toEqual(texts);
  });

  test("of a contact reach the client; its receipt returns", async () => {
    const { simulator, api, openClient } = scenario;
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

  test("of the own phone reach the client as own", async () => {
    const { simulator, api, openClient } = scenario;
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

  test("with a repeated id are shown once and counted", async () => {
    const { simulator, api, openClient } = scenario;
    const { auth } = await paired(simulator);
    const contact = freshPhone();
    const sock = await openClient(auth);
    for (let attempt = 0; attempt < 2; attempt++)
      await sock.sendMessage(jid(contact), { text: "once" }, { messageId: "3EB0AAAAAAAAAAAAAAAAAA" });
    await until(async () => (await api.messages(contact)).duplicates === 1, { what: "the duplicate" });
    expect(await api.texts(contact)).toEqual(["once"]);
  });

  test("are resent when the phone cannot decrypt them", async () => {
    const { simulator, api, openClient } = scenario;
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
    // Once the client has read a reply, its messages no longer carry the session.
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

  test("are written again when the client cannot decrypt", async () => {
    const { simulator, api, openClient } = scenario;
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

  test("cost one-time keys, which the client then uploads", async () => {
    const { simulator, api, openClient } = scenario;
    const { phone, auth } = await paired(simulator);
    const sock = await openClient(auth);
    const device = simulator.simulation.phones.obtain(phone).devices.get(1)!;
    while (device.preKeyCount > 5) device.takeBundle();
    const { received } = observe(sock);
    await api.post(`/phones/${freshPhone()}/messages`, { to: phone, text: "from a new contact" });
    await until(() => device.preKeyCount > 5, { what: "an upload of keys" });
    await until(() => received.length === 1, { what: "the message" });
  });

  test("without acknowledgement come again, marked offline", async () => {
    const { simulator, api, client, openClient } = scenario;
    const { phone, auth } = await paired(simulator);
    const contact = freshPhone();
    const first = await openClient(auth);
    await until(() => auth.creds.accountSyncCounter > 0, {
      what: "the history, without which a client holds its events back",
    });
    await first.end(undefined);
    await until(async () => (await api.get<PhoneView>(`/phones/${phone}`)).body.devices[0]?.online === false, {
      what: "the client to be offline",
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

  test("pass between two businesses, device to device", async () => {
    const { simulator, api, openClient } = scenario;
    const [one, two] = [await paired(simulator), await paired(simulator)];
    const [first, second] = [await openClient(one.auth), await openClient(two.auth)];
    const [atFirst, atSecond] = [observe(first), observe(second)];
    const sent = await first.sendMessage(jid(two.phone), { text: "hello, shop" });
    await until(() => atFirst.statuses.get(sent!.key.id!) === readStatus, { what: "the ticks" });
    await second.sendMessage(jid(one.phone), { text: "hello yourself" });
    await until(async () => (await api.texts(one.phone)).includes("hello yourself"), { what: "the answer" });
    expect(await api.texts(two.phone)).toContain("hello, shop");
    await until(() => atSecond.statuses.size > 0, { what: "a status of the answer" });
  });
});
