import { Database } from "bun:sqlite";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, spyOn, test } from "bun:test";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { uuidv7 } from "../../lib/core/ids.ts";
import { createShardClient, createShardMoves, shardToken } from "../../lib/contracts/shard/index.ts";
import { sessionList } from "../../lib/contracts/shard/schemas.ts";
import { until } from "../../lib/testing/until.ts";
import { AuthStore } from "./auth/auth_store.ts";
import { KeyRing } from "../../lib/core/key_ring.ts";
import { MoveKeys } from "./moving/move_keys.ts";
import { deviceAddress } from "../simulator/whatsapp/phones/signal.ts";
import { trustNoiseRoot } from "./session/noise_root.ts";
import {
  control,
  makePhone,
  newKeys,
  newPhone,
  newVolume,
  screenOf,
  startShard,
  startSimulator,
  text,
  token,
} from "./testing/shard_under_test.ts";
import type { InProcess, Simulator } from "./testing/shard_under_test.ts";

setDefaultTimeout(30_000);

let simulator: Simulator;
let volume: string;
let keys: string;
let shard: InProcess;
let business: string;
let phone: string;
let contact: string;

beforeAll(() => {
  simulator = startSimulator();
});
afterAll(() => simulator.stop());
beforeEach(async () => {
  volume = newVolume();
  keys = newKeys();
  shard = startShard({ simulator, volume, keys });
  [business, phone, contact] = [uuidv7(), newPhone(), newPhone()];
  await makePhone(simulator, contact);
});
afterEach(async () => {
  await control(simulator, "DELETE", "/faults");
  await shard.stop();
  rmSync(volume, { recursive: true });
});

const fault = (kind: string, more: object = {}) =>
  control<{ struck: number }>(simulator, "POST", "/faults", { kind, phone, ...more });
const write = (body: string) => control(simulator, "POST", `/phones/${contact}/messages`, { to: phone, text: body });
const waitingMail = async () =>
  (await control<{ devices: { waiting: number }[] }>(simulator, "GET", `/phones/${phone}`)).devices.reduce(
    (sum, { waiting }) => sum + waiting,
    0,
  );
const received = async () => (await shard.readJournal("inbound")).map((entry) => entry.data.text);
const restart = async () => {
  await shard.stop();
  shard = startShard({ simulator, volume, keys });
};

describe("the way of a message", () => {
  test("pairs by QR, sends in order, journals the ticks and what is answered", async () => {
    await shard.pair(simulator, business, phone);
    expect(await shard.view(business)).toMatchObject({ status: "open", phone, paired: true, name: `Phone ${phone}` });

    const batch = ["one", "two", "three"].map((body) => text(contact, body));
    const results = await shard.send(business, batch);
    expect(results.map(({ id, status }) => ({ id, status }))).toEqual(batch.map(({ id }) => ({ id, status: "sent" })));
    expect(
      await until(async () => (({ texts }) => texts.length === 3 && texts)(await screenOf(simulator, contact))),
    ).toEqual(["one", "two", "three"]);
    const read = async () => (await shard.readJournal("receipts")).filter(({ data }) => data.status === "read");
    await until(async () => (await read()).length === 3, { what: "three messages to be read" });

    await write("thank you");
    await until(async () => (await received()).length > 0, { what: "the answer" });
    const [entry] = await shard.readJournal("inbound");
    expect(entry).toMatchObject({
      business_id: business,
      data: { text: "thank you", chat: `${contact}@s.whatsapp.net` },
    });
    expect((await shard.request("POST", "/journal/inbound/ack", { through: entry!.seq })).status).toBe(204);
    expect(await received()).toEqual([]);
  });

  test("what is written while older messages are still read comes after them", async () => {
    await shard.pair(simulator, business, phone);
    await shard.stop();
    const texts = Array.from({ length: 60 }, (_, n) => `message ${n}`);
    for (const body of texts.slice(0, 30)) await write(body);
    shard = startShard({ simulator, volume, keys });
    // As quickly as WhatsApp takes them, while the shard opens its session and reads what waited.
    for (const body of texts.slice(30)) await write(body);
    await until(async () => (await received()).length === texts.length, { what: "every message" });
    expect(await received()).toEqual(texts);
  });
  test("pairs by a code that is typed into the phone", async () => {
    await makePhone(simulator, phone);
    await shard.json("POST", `/sessions/${business}/connect`, { method: "code", phone });
    const { code } = await shard.reaches(business, "code");
    expect(code).toMatch(/^[A-Z0-9]{8}$/);
    await control(simulator, "POST", `/phones/${phone}/enter_code`, { code });
    await shard.reaches(business, "open");
  });

  test("a batch that is repeated is answered again and sent once, also after a restart", async () => {
    await shard.pair(simulator, business, phone);
    const batch = [text(contact, "once"), text(contact, "and once")];
    const [first, again] = await Promise.all([shard.send(business, batch), shard.send(business, batch)]);
    expect(again).toEqual(first);
    await restart();
    await shard.reaches(business, "open");
    expect(await shard.send(business, batch)).toEqual(first);
    const screen = await screenOf(simulator, contact);
    expect(screen).toMatchObject({ texts: ["once", "and once"], duplicates: 0 });
  });

  test("a refused message fails with WhatsApp's code, and stays failed", async () => {
    await shard.pair(simulator, business, phone);
    await fault("ack_refuse", { code: 463, times: 1 });
    const message = text(contact, "to a stranger");
    const [result] = await shard.send(business, [message]);
    expect(result).toMatchObject({ status: "failed", error: { code: "463" } });
    expect((await shard.send(business, [message]))[0]).toEqual(result);
  });

  test("a number without a WhatsApp account fails as such, and the next message goes on", async () => {
    await shard.pair(simulator, business, phone);
    const stranger = newPhone();
    await fault("not_on_whatsapp", { phone: stranger });
    const results = await shard.send(business, [text(stranger, "to nobody"), text(contact, "to somebody")]);
    expect(results).toMatchObject([{ status: "failed", error: { code: "not_on_whatsapp" } }, { status: "sent" }]);
  });

  test("a number of which WhatsApp names no device fails as such: what is encrypted for nobody would be acknowledged", async () => {
    await shard.pair(simulator, business, phone);
    await shard.send(business, [text(contact, "so that the account is known")]);
    await restart();
    await shard.reaches(business, "open");
    await fault("not_on_whatsapp", { phone: contact, times: 2 });
    const results = await shard.send(business, [
      text(contact, "to a phone that is gone"),
      text(contact, "to one that is back"),
    ]);
    expect(results).toMatchObject([{ status: "failed", error: { code: "not_on_whatsapp" } }, { status: "sent" }]);
    expect((await screenOf(simulator, contact)).texts).toEqual(["so that the account is known", "to one that is back"]);
  });

  test("an acknowledgement that never comes costs a new connection, and the message is shown once", async () => {
    await shard.pair(simulator, business, phone);
    await fault("ack_lost", { times: 1 });
    const message = text(contact, "taken, but not acknowledged");
    expect((await shard.send(business, [message]))[0]?.status).toBe("retry");
    await shard.reaches(business, "open");
    expect((await shard.send(business, [message]))[0]?.status).toBe("sent");
    expect((await screenOf(simulator, contact)).texts).toEqual(["taken, but not acknowledged"]);
  });

  test("a phone that lost its keys and cannot read a message is sent it once more", async () => {
    await shard.pair(simulator, business, phone);
    await shard.send(business, [text(contact, "first")]);
    await write("an answer, so that both sides use the session");
    await until(async () => (await received()).length === 1, { what: "the answer" });
    const { signal } = simulator.simulation.phones.get(contact)!;
    for (const device of simulator.simulation.phones.get(phone)!.devices.keys())
      signal.forget(deviceAddress(phone, device));
    expect((await shard.send(business, [text(contact, "second")]))[0]?.status).toBe("sent");
    await until(async () => (await screenOf(simulator, contact)).texts.includes("second"), {
      what: "the message sent again",
    });
    expect((await screenOf(simulator, contact)).undecryptable).toBe(1);
  });

  test("what happens is counted", async () => {
    await shard.pair(simulator, business, phone);
    await fault("ack_refuse", { code: 463, times: 1 });
    await shard.send(business, [text(contact, "refused"), text(contact, "taken")]);
    const metrics = await (await shard.request("GET", "/metrics")).text();
    const value = (name: string) => Number(new RegExp(`^${name}[^\\n]* (\\S+)$`, "m").exec(metrics)?.[1]);
    expect(value('prosaas_whatsapp_sessions\\{status="open"')).toBe(1);
    expect(value('prosaas_whatsapp_sends_total\\{result="sent"')).toBe(1);
    expect(value('prosaas_whatsapp_sends_total\\{result="failed"')).toBe(1);
    expect(value('prosaas_whatsapp_connections_ended_total\\{code="515"')).toBe(1);
    expect(value("prosaas_whatsapp_ack_seconds_count")).toBe(2);
  });

  test("messages that cross each other in one chat all arrive, in order, at both ends", async () => {
    await shard.pair(simulator, business, phone);
    const bodies = Array.from({ length: 60 }, (_, i) => `message ${i}`);
    const sending = shard.send(
      business,
      bodies.slice(0, 50).map((body) => text(contact, body)),
    );
    for (const body of bodies) await write(body);
    expect((await sending).every(({ status }) => status === "sent")).toBeTrue();
    await until(async () => (await received()).length >= 60, { what: "60 messages in the journal" });
    expect(await received()).toEqual(bodies);
    const screen = await until(async () =>
      ((now) => now.texts.length >= 50 && now)(await screenOf(simulator, contact)),
    );
    expect(screen).toMatchObject({ texts: bodies.slice(0, 50), duplicates: 0, undecryptable: 0 });
  });

  test("what waited for the shard comes before what is written meanwhile", async () => {
    await shard.pair(simulator, business, phone);
    await shard.stop();
    const bodies = Array.from({ length: 150 }, (_, i) => `message ${i}`);
    for (const body of bodies.slice(0, 100)) await write(body);
    shard = startShard({ simulator, volume, keys });
    await until(async () => (await received()).length > 0, { what: "the first message in the journal", everyMs: 1 });
    for (const body of bodies.slice(100)) await write(body);
    await until(async () => (await received()).length >= 150, { what: "150 messages in the journal" });
    expect(await received()).toEqual(bodies);
  });

  test("a contact's keys are asked for once: after a restart its devices are, and the session in use stays", async () => {
    await shard.pair(simulator, business, phone);
    const keysGiven = spyOn(simulator.simulation.phones.get(contact)!.signal, "bundle");
    await shard.send(business, [text(contact, "before")]);
    await write("an answer, so that both sides use the session");
    await until(async () => (await received()).length === 1, { what: "the answer" });
    expect(keysGiven).toHaveBeenCalledTimes(1);
    await restart();
    await shard.reaches(business, "open");
    await shard.send(business, [text(contact, "after")]);
    expect(keysGiven).toHaveBeenCalledTimes(1);
    expect(await screenOf(simulator, contact)).toMatchObject({ undecryptable: 0 });
  });

  test("keys that a contact's identity did not sign are refused, and nothing is written to them", async () => {
    await shard.stop();
    shard = startShard({ simulator, volume, keys, patienceMs: 0 });
    await shard.pair(simulator, business, phone);
    const { signal } = simulator.simulation.phones.get(contact)!;
    const bundle = signal.bundle.bind(signal);
    const forged = spyOn(signal, "bundle").mockImplementation(() => {
      const { signedPreKey, ...rest } = bundle();
      return { ...rest, signedPreKey: { ...signedPreKey, signature: Buffer.alloc(64, 7) } };
    });
    const message = text(contact, "to an impostor");
    for (const status of ["retry", "retry", "failed"] as const)
      expect((await shard.send(business, [message]))[0]?.status).toBe(status);
    expect((await screenOf(simulator, contact)).texts).toEqual([]);
    forged.mockRestore();
    expect((await shard.send(business, [text(contact, "to the contact")]))[0]?.status).toBe("sent");
  });

  test("the list of sessions says how much goes through the shard", async () => {
    await shard.pair(simulator, business, phone);
    await shard.send(business, [text(contact, "one"), text(contact, "two")]);
    expect(sessionList.parse(await shard.json("GET", "/sessions"))).toMatchObject({
      messages_per_minute: 2,
      version: null,
    });
  });

  test("a chat given as a JID reaches the same person", async () => {
    await shard.pair(simulator, business, phone);
    expect(await shard.send(business, [text(`${contact}@s.whatsapp.net`, "by JID")])).toMatchObject([
      { status: "sent" },
    ]);
    await until(async () => (await screenOf(simulator, contact)).texts.join() === "by JID");
  });
});

describe("how a session ends and returns", () => {
  test("a login on the volume opens after a restart without a new QR", async () => {
    await shard.pair(simulator, business, phone);
    await restart();
    await shard.reaches(business, "open");
    expect((await shard.send(business, [text(contact, "back")]))[0]?.status).toBe("sent");
  });

  test.each(["drop", "unavailable", "restart"])(
    "after %s it opens again by itself, and a batch sent meanwhile waits for it",
    async (kind) => {
      await shard.pair(simulator, business, phone);
      expect((await fault(kind)).struck).toBe(1);
      // Told that it is unavailable, it leaves WhatsApp alone for seconds; a connect ends that wait.
      if (kind === "unavailable") {
        await shard.reaches(business, "connecting");
        await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
      }
      const message = text(contact, "in spite of it");
      await until(
        async () => {
          const response = await shard.request("POST", `/sessions/${business}/messages`, { messages: [message] });
          return (
            response.ok && ((await response.json()) as { results: { status: string }[] }).results[0]?.status === "sent"
          );
        },
        { what: "the message to be sent", everyMs: 200, deadlineMs: 15_000 },
      );
      await until(async () => (await screenOf(simulator, contact)).texts.length === 1);
      expect(await screenOf(simulator, contact)).toMatchObject({ texts: ["in spite of it"] });
    },
  );

  test("a gateway that refuses the connection is known as such at once", async () => {
    await shard.pair(simulator, business, phone);
    await control(simulator, "POST", "/faults", { kind: "unavailable", at: "upgrade", times: 1 });
    await fault("drop");
    await until(async () => (await shard.view(business)).reason?.includes("(503)"), { what: "the reason" });
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    await shard.reaches(business, "open");
  });

  test("440: it stops as conflict, does not fight, and opens on request", async () => {
    await shard.pair(simulator, business, phone);
    await fault("replaced");
    const { reason } = await shard.reaches(business, "conflict");
    expect(reason).toContain("440");
    const refused = await shard.request("POST", `/sessions/${business}/messages`, { messages: [text(contact, "x")] });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "30"]);
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    await shard.reaches(business, "open");
  });

  test("a conflict is not forgotten by a restart", async () => {
    await shard.pair(simulator, business, phone);
    await fault("replaced");
    await shard.reaches(business, "conflict");
    await restart();
    expect((await shard.view(business)).status).toBe("conflict");
  });

  test("401: logged out, the auth state set aside, a new pairing possible", async () => {
    await shard.pair(simulator, business, phone);
    await fault("logged_out");
    expect(await shard.reaches(business, "logged_out")).toMatchObject({ paired: false });
    expect(readdirSync(join(volume, "set-aside"))).toEqual([expect.stringContaining(business)]);
    const refused = await shard.request("POST", `/sessions/${business}/messages`, { messages: [text(contact, "x")] });
    expect(refused.status).toBe(409);
    await shard.pair(simulator, business, phone);
  });

  test("403: stopped with the reason, the auth state kept", async () => {
    await shard.pair(simulator, business, phone);
    await fault("login_failure", { reason: "403", times: 1 });
    await fault("drop");
    expect(await shard.reaches(business, "disconnected")).toMatchObject({
      paired: true,
      reason: expect.stringContaining("403"),
    });
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    await shard.reaches(business, "open");
  });

  test("a 401 right after the pairing is not taken for a logout", async () => {
    await makePhone(simulator, phone);
    await fault("login_failure", { reason: "401", times: 1 });
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    const { qr } = await shard.reaches(business, "qr");
    await control(simulator, "POST", `/phones/${phone}/scan`, { qr });
    await shard.reaches(business, "open");
  });

  test("a logout on request tells WhatsApp, frees the name and keeps the state aside", async () => {
    await shard.pair(simulator, business, phone);
    expect((await shard.request("DELETE", `/sessions/${business}`)).status).toBe(204);
    expect((await shard.request("GET", `/sessions/${business}`)).status).toBe(404);
    const { devices } = await control<{ devices: unknown[] }>(simulator, "GET", `/phones/${phone}`);
    expect(devices).toEqual([]);
    expect(existsSync(join(volume, "sessions", business))).toBeFalse();
    await shard.pair(simulator, business, phone);
  });
});

describe("a session that looks open and hears nothing", () => {
  test("is found by a probe that nobody sees, reconnects, and then hears again", async () => {
    await shard.stop();
    shard = startShard({ simulator, volume, keys, deafness: { idleMs: 300, answerMs: 500 } });
    await shard.pair(simulator, business, phone);
    const metric = async (name: string) =>
      Number(
        new RegExp(`^${name}[^\\n]* (\\S+)$`, "m").exec(await (await shard.request("GET", "/metrics")).text())?.[1],
      );
    const accepted = simulator.simulation.stats.messages_accepted;
    await until(() => simulator.simulation.stats.messages_accepted > accepted + 1, { what: "two probes" });
    expect(await metric("prosaas_whatsapp_deaf_connections_total")).toBe(0);

    await fault("silence", { answer_pings: true, times: 1 });
    await write("spoken to deaf ears");
    await until(async () => (await received()).length === 1, { what: "the message" });
    expect(await metric("prosaas_whatsapp_deaf_connections_total")).toBe(1);
    // Probes go to the own number: its phone shows what was written to it alone, and nobody else gets anything.
    const { texts, undecryptable } = await screenOf(simulator, phone);
    expect({ texts, undecryptable }).toEqual({ texts: ["spoken to deaf ears"], undecryptable: 0 });
    expect((await screenOf(simulator, contact)).ids).toEqual([]);
  });

  test("that stays so through new sockets is built anew from the disk, and raises an alarm", async () => {
    await shard.stop();
    shard = startShard({ simulator, volume, keys, deafness: { idleMs: 50, answerMs: 50 } });
    await shard.pair(simulator, business, phone);
    await fault("silence", { answer_pings: true });
    const opened = spyOn(AuthStore, "open");
    await until(async () => (await shard.view(business)).reason?.includes("delivers nothing"), { what: "the reason" });
    await until(() => opened.mock.calls.length > 0, { what: "the store to be opened again", deadlineMs: 20_000 });
    opened.mockRestore();
    await control(simulator, "DELETE", "/faults");
    // The last of the silent connections may still have to be found out.
    const message = text(contact, "heard again");
    const sent = async () => {
      await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
      return (await shard.send(business, [message]))[0]?.status === "sent";
    };
    await until(sent, { what: "a message to be sent" });
  });
});

test("a session that can decrypt nothing is built anew from the disk, and raises an alarm", async () => {
  await shard.pair(simulator, business, phone);
  // One customer could send garbage to harm the business; several who were understood before do not.
  const customers = [contact, newPhone(), newPhone()];
  const writeAs = (customer: string, body: object) =>
    control(simulator, "POST", `/phones/${customer}/messages`, { to: phone, ...body });
  for (const customer of customers) await writeAs(customer, { text: "hello" });
  await until(async () => (await received()).length === customers.length, { what: "the first messages" });
  for (let n = 0; n < 21; n++)
    await writeAs(customers[n % customers.length]!, { text: "unreadable", companions_get: "garbage" });
  const metrics = async () => (await shard.request("GET", "/metrics")).text();
  await until(async () => /^prosaas_whatsapp_alarms_total\S* 1$/m.test(await metrics()), { what: "the alarm" });
  await shard.reaches(business, "open");
  expect((await shard.send(business, [text(contact, "still here")]))[0]?.status).toBe("sent");
});

describe("what WhatsApp is told", () => {
  test("nothing is acknowledged that could not be written down; it comes again and is kept", async () => {
    await shard.pair(simulator, business, phone);
    await until(async () => (await waitingMail()) === 0, { what: "what a phone shares after a pairing to arrive" });
    const write_ = shard.db.write.bind(shard.db);
    shard.db.write = () => Promise.reject(new Error("database or disk is full"));
    await write("important");
    const { reason } = await shard.reaches(business, "connecting");
    expect(reason).toContain("database or disk is full");
    expect(await waitingMail()).toBe(1);
    expect(await received()).toEqual([]);

    shard.db.write = write_;
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    await until(async () => (await received()).join() === "important", { what: "the redelivery" });
    await until(async () => (await waitingMail()) === 0, { what: "the acknowledgement" });
  });

  test("a tick that could not be written down comes again", async () => {
    await shard.pair(simulator, business, phone);
    await fault("ticks", { mode: "delayed", ms: 300 });
    await shard.send(business, [text(contact, "x")]);
    const write_ = shard.db.write.bind(shard.db);
    shard.db.write = () => Promise.reject(new Error("database or disk is full"));
    await shard.reaches(business, "connecting");
    shard.db.write = write_;
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    const ticks = async () => (await shard.readJournal("receipts")).map(({ data }) => data.status);
    await until(async () => (await ticks()).includes("delivered") && (await ticks()).includes("read"), {
      what: "both ticks",
    });
  });
});

describe("stores that cannot be used", () => {
  test.each([
    ["under another key", "wrong_key", "sealed under another key"],
    ["cut short", "cut", "malformed"],
    ["of something else", "foreign", "not a database"],
  ])("one %s stops its own session only, and is left as it was", async (_what, how, reason) => {
    const other = uuidv7();
    await shard.pair(simulator, business, phone);
    await shard.pair(simulator, other, newPhone());
    await shard.stop();
    const path = join(volume, "sessions", business, "auth.db");
    if (how === "wrong_key") {
      rmSync(path);
      AuthStore.open(path, business, KeyRing.parse(newKeys())).close();
    } else if (how === "cut") truncateSync(path, 6000);
    else writeFileSync(path, "not a database".repeat(500));
    const before = readFileSync(path);

    shard = startShard({ simulator, volume, keys });
    await shard.reaches(other, "open");
    expect(await shard.view(business)).toMatchObject({ status: "auth_error", reason: expect.stringContaining(reason) });
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    expect(await shard.view(business)).toMatchObject({ status: "auth_error", paired: true });
    // The login may be there again once its keys or its file are: what is to be sent waits for it.
    const { status } = await shard.request("POST", `/sessions/${business}/messages`, {
      messages: [text(contact, "waits")],
    });
    expect(status).toBe(503);
    expect(readFileSync(path)).toEqual(before);
  });

  test("one that the volume does not give out is asked for again, and what is to be sent waits for it", async () => {
    await shard.pair(simulator, business, phone);
    await shard.stop();
    const path = join(volume, "sessions", business, "auth.db");
    renameSync(path, `${path}.away`);
    mkdirSync(path);
    shard = startShard({ simulator, volume, keys });
    await until(async () => (await shard.view(business)).reason?.includes("unable to open"), { what: "the reason" });
    const message = text(contact, "waits");
    expect((await shard.request("POST", `/sessions/${business}/messages`, { messages: [message] })).status).toBe(503);
    rmdirSync(path);
    renameSync(`${path}.away`, path);
    await shard.reaches(business, "open");
    expect((await shard.send(business, [message]))[0]?.status).toBe("sent");
  });
});

test("a server whose certificate another root signed gets no login", async () => {
  await shard.pair(simulator, business, phone);
  await shard.stop();
  shard = startShard({ simulator, volume, keys });
  trustNoiseRoot(new Uint8Array(32).fill(9));
  expect(await shard.reaches(business, "connecting")).toMatchObject({ paired: true });
  await until(async () => (await shard.view(business)).reason?.includes("certificate"), {
    what: "the refusal of the certificate",
  });
});

describe("what the API refuses", () => {
  const statusOf = async (method: string, path: string, body?: unknown) =>
    (await shard.request(method, path, body)).status;

  test("a wrong token, an unknown business, and what is malformed, each with its field", async () => {
    expect(await statusOf("GET", "/sessions")).toBe(200);
    expect((await shard.withToken("another-token").request("GET", "/sessions")).status).toBe(401);
    // Another shard's token, and what clients hold.
    for (const other of [shardToken(token, 2), token])
      expect((await shard.withToken(other).request("GET", "/sessions")).status).toBe(401);
    expect(await statusOf("GET", `/sessions/${uuidv7()}`)).toBe(404);
    expect(await statusOf("GET", "/sessions/not-an-id")).toBe(400);
    expect(await statusOf("GET", "/journal/nothing")).toBe(400);
    expect(await statusOf("POST", `/sessions/${business}/connect`, { method: "code" })).toBe(400);
    const response = await shard.request("POST", `/sessions/${business}/messages`, {
      messages: [{ ...text(contact, "x"), to: "" }],
    });
    expect(response.headers.get("content-type")).toContain("application/problem+json");
    expect(await response.json()).toMatchObject({ errors: [{ field: "messages.0.to" }] });
  });
});

describe("a login that WhatsApp does not know everywhere yet", () => {
  beforeEach(async () => {
    await makePhone(simulator, phone);
    await fault("login_failure", { reason: "401", times: 2 });
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    const { qr } = await shard.reaches(business, "qr");
    await control(simulator, "POST", `/phones/${phone}/scan`, { qr });
    await until(async () => (await shard.view(business)).reason?.includes("401"), { what: "the first refusal" });
  });

  test("opens in the end where the shard restarts in between", async () => {
    await restart();
    await until(async () => ["open", "logged_out"].includes((await shard.view(business)).status), {
      deadlineMs: 20_000,
      what: "an end",
    });
    expect((await shard.view(business)).status).toBe("open");
  });

  test("opens in the end where somebody asks to connect in between", async () => {
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    await until(async () => ["open", "logged_out"].includes((await shard.view(business)).status), {
      deadlineMs: 20_000,
      what: "an end",
    });
    expect((await shard.view(business)).status).toBe("open");
  });
});

test("a shard that was killed while it closed a session that moves away hands the login over all the same", async () => {
  await shard.pair(simulator, business, phone);
  await fault("ack_lost");
  void shard.request("POST", `/sessions/${business}/messages`, { messages: [text(contact, "x")] });
  await until(async () => (await shard.view(business)).queue_depth === 1, { what: "a message on its way" });
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => shard.fetch(request) });
  const at = { shard: 1, url: `http://127.0.0.1:${server.port}` };
  const moves = createShardMoves({ token });
  const order = { move_id: uuidv7(), fence: 1, from: 1, to: 2 };
  const stopped = moves.stop(at, business, order);
  await until(async () => (await moves.departures(at)).data[0]?.state === "leaving", { what: "the departure" });
  // What a kill -9 leaves behind.
  const image = newVolume();
  cpSync(volume, image, { recursive: true });
  await stopped.catch(() => {});
  await shard.stop();
  rmSync(volume, { recursive: true });
  volume = image;
  shard = startShard({ simulator, volume, keys });
  await moves.stop(at, business, order);
  const key = Buffer.from(new MoveKeys().offer(business, order)).toString("base64url");
  expect(await moves.bundle(at, business, order, key)).toBeInstanceOf(Uint8Array);
  await server.stop(true);
});

test("a store whose note of a halt cannot be read stops its own session only", async () => {
  await shard.pair(simulator, business, phone);
  const [other, otherPhone] = [uuidv7(), newPhone()];
  await shard.pair(simulator, other, otherPhone);
  await fault("replaced");
  await shard.reaches(business, "conflict");
  await shard.stop();
  const db = new Database(join(volume, "sessions", business, "auth.db"));
  db.run("UPDATE entries SET box = zeroblob(length(box)) WHERE name = 'halt'");
  db.close();
  shard = startShard({ simulator, volume, keys });
  await shard.reaches(other, "open");
  expect(await shard.view(business)).toMatchObject({
    status: "auth_error",
    reason: expect.stringContaining("suspension"),
  });
});

test("a shard does not answer for another, whose address it has now", async () => {
  const otherVolume = newVolume();
  const other = startShard({ simulator, volume: otherVolume, keys, shard: 2 });
  let listens = shard;
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => listens.fetch(request) });
  const client = createShardClient({ token });
  const at = { shard: 1, url: `http://127.0.0.1:${server.port}` };
  await shard.pair(simulator, business, phone);
  await other.pair(simulator, uuidv7(), newPhone());
  await until(async () => (await other.readJournal("events")).length >= 3, { what: "the other shard's events" });
  const { through } = await client.readJournal(at, "events");
  // Shard 1 is gone, and its port is given to shard 2.
  listens = other;
  const before = (await other.readJournal("events")).length;
  await expect(client.ackJournal(at, "events", through!)).rejects.toThrow("This is shard 2");
  await expect(client.connect(at, business, { method: "qr" })).rejects.toThrow("This is shard 2");
  await expect(client.logout(at, business)).rejects.toThrow("This is shard 2");
  expect(await other.readJournal("events")).toHaveLength(before);
  await other.stop();
  rmSync(otherVolume, { recursive: true });
  await server.stop(true);
});
