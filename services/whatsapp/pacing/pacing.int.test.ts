import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { rmSync } from "node:fs";
import { uuidv7 } from "../../../lib/core/ids.ts";
import type { PacingSettings, PacingView } from "../../../lib/contracts/shard/pacing.ts";
import { until } from "../../../lib/testing/until.ts";
import { Connection } from "../session/connection.ts";
import {
  control,
  makePhone,
  newKeys,
  newPhone,
  newVolume,
  startShard,
  startSimulator,
  text as urgent,
} from "../testing/shard_under_test.ts";
import type { InProcess, Simulator } from "../testing/shard_under_test.ts";

let simulator: Simulator;
let volume: string;
let keys: string;
let shard: InProcess;
let business: string;
let phone: string;
let contacts: string[];

beforeAll(() => {
  simulator = startSimulator();
});
afterAll(() => simulator.stop());
beforeEach(async () => {
  volume = newVolume();
  keys = newKeys();
  shard = startShard({ simulator, volume, keys, paced: true });
  [business, phone, contacts] = [uuidv7(), newPhone(), [newPhone(), newPhone(), newPhone(), newPhone()]];
  for (const contact of contacts) await makePhone(simulator, contact);
  await shard.pair(simulator, business, phone);
});
afterEach(async () => {
  await control(simulator, "DELETE", "/faults");
  await control(simulator, "PUT", "/limits", {});
  await shard.stop();
  rmSync(volume, { recursive: true });
});

const quick: PacingSettings = { messages_per_minute: 1_000, jitter: 0, first_contact_gap_s: 0, warm_up_days: 0 };
const view = (settings: PacingSettings | null = null) =>
  shard.json<PacingView>("POST", `/sessions/${business}/pacing/view`, { settings });
/** A message of a broadcast. */
const text = (to: string, body: string) => ({ ...urgent(to, body), bulk: true });
/** The account may send its next broadcast message. */
const itsTurn = () => until(async () => (await view()).state.broadcasts.next_at === null, { what: "the next turn" });
/** The contact writes first: later messages of the business do not start the chat. */
const isWritten = async (from: string) => {
  const count = (await shard.readJournal("inbound")).length;
  await control(simulator, "POST", `/phones/${from}/messages`, { to: phone, text: "hello" });
  await until(async () => (await shard.readJournal("inbound")).length > count, { what: "the message" });
};

/** Repeats a batch until every message is decided, as a worker does. Returns the number of sends. */
async function sendAll(
  messages: ReturnType<typeof text>[],
  settings: PacingSettings,
): Promise<{ asked: number; failed: string[] }> {
  for (let asked = 1; ; asked++) {
    const results = await shard.send(business, messages, settings);
    const waiting = results.filter(({ status }) => status === "paced" || status === "retry");
    if (waiting.length === 0) return { asked, failed: results.flatMap(({ error }) => (error ? [error.code] : [])) };
    await Bun.sleep(Math.min(...waiting.map(({ wait_ms }) => wait_ms!)));
  }
}

describe("pacing", () => {
  test("is the default: one message, then wait times", async () => {
    const started = performance.now();
    const [first, second] = await shard.send(business, [text(contacts[0]!, "now"), text(contacts[0]!, "later")]);
    expect(first?.status).toBe("sent");
    expect(second).toMatchObject({ status: "paced", holds: "everything" });
    // A new number sends a tenth of 20 a minute: about one in 30 s, counted from the first message.
    const wait = second!.wait_ms!;
    expect(wait + performance.now() - started).toBeGreaterThan(20_000);
    expect(wait).toBeLessThan(40_000);
    expect(await view()).toMatchObject({
      limits: { enabled: true },
      state: { warmth: expect.closeTo(0.1), first_contacts_today: 1, stops: [] },
    });
  });

  test("can be turned off by the business", async () => {
    const results = await shard.send(
      business,
      contacts.map((contact) => text(contact, "at once")),
      { enabled: false },
    );
    expect(results.map(({ status }) => status)).toEqual(["sent", "sent", "sent", "sent"]);
  });

  test("delivers once and in order, within the limit", async () => {
    const contact = contacts[0]!;
    const bodies = Array.from({ length: 12 }, (_, i) => `message ${i}`);
    const started = performance.now();
    const { asked, failed } = await sendAll(
      bodies.map((body) => text(contact, body)),
      { ...quick, messages_per_minute: 600 },
    );
    expect(failed).toEqual([]);
    // Eleven gaps of 100 ms; JavaScript's timers may fire a millisecond early.
    expect(performance.now() - started).toBeGreaterThan(11 * 99);
    // A batch whose preparation takes longer than a gap sends two.
    expect(asked).toBeGreaterThan(1);
    const { data } = await control<{ data: { text: string }[] }>(simulator, "GET", `/phones/${contact}/messages`);
    expect(data.map((shown) => shown.text)).toEqual(bodies);
  });

  test("holds a new chat without holding replies", async () => {
    const [known, one, two] = contacts as [string, string, string];
    await isWritten(known);
    const settings = { ...quick, first_contact_gap_s: 60 };
    expect((await shard.send(business, [text(one, "first chat")], settings))[0]?.status).toBe("sent");
    await itsTurn();
    const results = await shard.send(
      business,
      [text(two, "second chat"), text(two, "and more"), text(known, "an answer")],
      settings,
    );
    expect(results).toMatchObject([
      { status: "paced", holds: "first_contacts" },
      { status: "paced", holds: "first_contacts" },
      { status: "sent" },
    ]);
    expect(results[1]!.wait_ms).toBe(results[0]!.wait_ms);
  });

  test("staggers the new chats that wait", async () => {
    const settings = { ...quick, first_contact_gap_s: 60 };
    await shard.send(business, [text(contacts[0]!, "first chat")], settings);
    await itsTurn();
    const results = await shard.send(
      business,
      contacts.slice(1).map((contact) => text(contact, "next")),
      settings,
    );
    const times = results.map(({ wait_ms }) => wait_ms!);
    expect(times.slice(1).map((time, i) => time - times[i]!)).toEqual([60_000, 60_000]);
  });

  test("sends urgent messages ahead of a running broadcast", async () => {
    const [one, two, three, four] = contacts as [string, string, string, string];
    const [first, waits] = await shard.send(business, [text(one, "offer"), text(two, "offer")]);
    expect([first?.status, waits?.status]).toEqual(["sent", "paced"]);
    const results = await shard.send(business, [
      text(two, "offer"),
      urgent(three, "code 1"),
      text(three, "offer"),
      urgent(four, "code 2"),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["paced", "sent", "paced", "sent"]);
    expect(Date.parse((await view()).state.broadcasts.next_at!) - Date.now()).toBeGreaterThan(waits!.wait_ms!);
  });

  test("when off, runs into WhatsApp's limits", async () => {
    await control(simulator, "PUT", "/limits", { new_chats_per_minute: 2 });
    const unpaced = await shard.send(
      business,
      contacts.map((contact) => text(contact, "all at once")),
      { enabled: false },
    );
    expect(unpaced.filter(({ error }) => error?.code === "463")).toHaveLength(2);
  });

  test("after 463 stops new chats until a resume", async () => {
    await isWritten(contacts[3]!);
    await control(simulator, "PUT", "/limits", { new_chats_per_minute: 1 });
    const batch = contacts.slice(0, 3).map((contact) => text(contact, "new"));
    const settings = { ...quick };
    expect((await shard.send(business, [batch[0]!], settings))[0]?.status).toBe("sent");
    await itsTurn();
    expect((await shard.send(business, [batch[1]!], settings))[0]).toMatchObject({
      status: "failed",
      error: { code: "463" },
    });
    await itsTurn();
    const [held, answer] = await shard.send(business, [batch[2]!, text(contacts[3]!, "an answer")], settings);
    expect(held).toMatchObject({ status: "paced", holds: "first_contacts" });
    expect(held!.wait_ms).toBeGreaterThan(59 * 60_000);
    expect(answer?.status).toBe("sent");
    expect((await view(settings)).state.stops).toMatchObject([{ holds: "first_contacts", code: "463" }]);
    expect(await (await shard.request("GET", "/metrics")).text()).toMatch(/prosaas_whatsapp_alarms_total\S* 1\n/);

    await control(simulator, "PUT", "/limits", {});
    expect((await shard.request("DELETE", `/sessions/${business}/pacing/stops`)).status).toBe(204);
    await itsTurn();
    expect((await shard.send(business, [batch[2]!], settings))[0]?.status).toBe("sent");
  });

  // 429 is a passing refusal (sending/verdicts.ts): it concerns the account and says nothing about the message.
  test("after 429 retries later and stops everything, across restarts", async () => {
    await isWritten(contacts[0]!);
    await control(simulator, "PUT", "/limits", { messages_per_minute: 1 });
    expect((await shard.send(business, [text(contacts[0]!, "one")], quick))[0]?.status).toBe("sent");
    await itsTurn();
    expect((await shard.send(business, [text(contacts[0]!, "two")], quick))[0]).toMatchObject({
      status: "retry",
      error: { code: "429" },
    });
    await shard.stop();
    shard = startShard({ simulator, volume, keys, paced: true });
    await shard.reaches(business, "open");
    expect((await shard.send(business, [text(contacts[0]!, "three")], quick))[0]).toMatchObject({
      status: "paced",
      holds: "everything",
    });
  });

  test("does not hold messages with a final result", async () => {
    const once = text(contacts[0]!, "once");
    const [first] = await shard.send(business, [once]);
    expect(await shard.send(business, [once])).toEqual([first!]);
  });

  test("recognises known chats although the connection is lost", async () => {
    for (const contact of contacts) await isWritten(contact);
    const original = Connection.prototype.isAcquainted;
    const looked = spyOn(Connection.prototype, "isAcquainted").mockImplementationOnce(async function (
      this: Connection,
      chat: string,
    ) {
      await control(simulator, "POST", "/faults", { kind: "drop", phone });
      await until(async () => (await shard.view(business)).status !== "open", { what: "the end of the connection" });
      return original.call(this, chat);
    });
    const messages = contacts.map((contact) => text(contact, "hi"));
    const answer = await shard.request("POST", `/sessions/${business}/messages`, {
      messages,
      pacing: { ...quick, burst: 100 },
    });
    looked.mockRestore();
    expect([answer.status, (await view()).state.first_contacts_today]).toEqual([503, 0]);
  });

  test("counts a repeated message's new chat once", async () => {
    const looked = spyOn(Connection.prototype, "isAcquainted").mockResolvedValue(false);
    await control(simulator, "POST", "/faults", { kind: "ack_lost", phone });
    const message = text(contacts[0]!, "once");
    const first = shard.send(business, [message], quick);
    await until(async () => (await shard.view(business)).queue_depth === 1, { what: "the message in flight" });
    await control(simulator, "POST", "/faults", { kind: "drop", phone });
    expect((await first)[0]?.status).toBe("retry");
    await control(simulator, "DELETE", "/faults");
    await shard.reaches(business, "open");
    await itsTurn();
    expect((await shard.send(business, [message], quick))[0]?.status).toBe("sent");
    looked.mockRestore();
    expect((await view()).state.first_contacts_today).toBe(1);
  });
});
