import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { BatchMessage, SendResult } from "../../lib/contracts/shard/schemas.ts";
import { shardKeys, shardToken } from "../../lib/contracts/shard/secrets.ts";
import { uuidv7 } from "../../lib/core/ids.ts";
import { until } from "../../lib/testing/until.ts";
import { poison } from "./testing/poison.ts";
import { kill, processScenario } from "./testing/shard_process.ts";
import type { ShardProcess } from "./testing/shard_process.ts";
import { control, makePhone, newPhone, screenOf, text, token } from "./testing/shard_under_test.ts";

const scenario = processScenario();

/** Sends a batch as a worker does: repeats it until every message has a final result. */
async function deliver(target: () => ShardProcess, business: string, messages: BatchMessage[]): Promise<SendResult[]> {
  return until<SendResult[] | undefined>(
    async () => {
      const results = await target().send(business, messages);
      return results.every(({ status }) => status !== "retry") ? results : undefined;
    },
    { what: "every message to be decided", deadlineMs: 90_000, everyMs: 100 },
  );
}

describe("a killed shard", () => {
  test("loses, duplicates and reorders nothing", async () => {
    const { simulator, launch } = scenario;
    const [business, phone, contact] = [uuidv7(), newPhone(), newPhone()];
    await makePhone(simulator, contact);
    let shard = launch();
    await shard.pair(simulator, business, phone);

    const outgoing = Array.from({ length: 200 }, (_, i) => text(contact, `out ${i}`));
    const incoming = Array.from({ length: 60 }, (_, i) => `in ${i}`);
    const sending = (async () => {
      for (let at = 0; at < outgoing.length; at += 50) {
        const results = await deliver(() => shard, business, outgoing.slice(at, at + 50));
        expect(results.every(({ status }) => status === "sent")).toBeTrue();
      }
    })();
    const writing = (async () => {
      for (const body of incoming) {
        await control(simulator, "POST", `/phones/${contact}/messages`, { to: phone, text: body });
        await Bun.sleep(5);
      }
    })();
    for (const shown of [20, 70, 120]) {
      await until(async () => (await screenOf(simulator, contact)).texts.length >= shown, {
        what: `${shown} messages on the phone`,
        everyMs: 2,
      });
      await kill(shard);
      shard = launch();
    }
    await Promise.all([sending, writing]);

    await until(async () => (await screenOf(simulator, contact)).texts.length >= 200, {
      what: "200 messages on the phone",
    });
    const screen = await screenOf(simulator, contact);
    expect(screen.texts).toEqual(outgoing.map((message) => message.text));
    expect(screen.undecryptable).toBe(0);
    const received = async () => [...new Set((await shard.readJournal("inbound")).map(({ data }) => data.text))];
    await until(async () => (await received()).length >= 60, { what: "all incoming messages in the journal" });
    expect(await received()).toEqual(incoming);
    expect(await shard.view(business)).toMatchObject({ status: "open", phone });
  });

  test("opens a login that was linked before the kill", async () => {
    const { simulator, launch } = scenario;
    const [business, phone] = [uuidv7(), newPhone()];
    await makePhone(simulator, phone);
    const shard = launch();
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    const { qr } = await shard.reaches(business, "qr");
    await control(simulator, "POST", `/phones/${phone}/scan`, { qr });
    await kill(shard);
    expect(await launch().reaches(business, "open")).toMatchObject({ phone });
  });

  test("quarantines a message that kills it twice", async () => {
    const { simulator, launch } = scenario;
    const [business, phone, contact] = [uuidv7(), newPhone(), newPhone()];
    await makePhone(simulator, contact);
    const write = (body: string) =>
      control<{ id: string }>(simulator, "POST", `/phones/${contact}/messages`, { to: phone, text: body });
    const waiting = async () =>
      (await control<{ devices: { waiting: number }[] }>(simulator, "GET", `/phones/${phone}`)).devices.map(
        (device) => device.waiting,
      );
    const start = () => launch({}, ["--preload", join(import.meta.dir, "testing/poison.preload.ts")]);
    const first = start();
    await first.pair(simulator, business, phone);
    await write("before");
    await until(async () => (await first.readJournal("inbound")).length === 1, { what: "the first message" });
    const { id } = await write(poison);
    await first.exited;
    await write("behind it");
    await start().exited;
    const survivor = start();
    await until(async () => (await survivor.readJournal("inbound")).length === 3, {
      what: "all three messages",
    });
    const journal = (await survivor.readJournal("inbound")).map(({ data }) => data);
    expect(journal).toMatchObject([
      { text: "before" },
      {
        wa_message_id: id,
        chat: `${contact}@s.whatsapp.net`,
        type: "unknown",
        content: { type: "unknown", kind: "unreadable" },
      },
      { text: "behind it" },
    ]);
    await until(async () => (await waiting()).every((count) => count === 0), { what: "every acknowledgement" });
    expect(await (await survivor.request("GET", "/metrics")).text()).toMatch(
      /^prosaas_whatsapp_quarantined_total\S* 1$/m,
    );
    await until(() => survivor.log().includes(`"wa_message_id":"${id}"`), { what: "the log entry of the message" });
    expect(await survivor.view(business)).toMatchObject({ status: "open" });
  });
});

describe("a shard process", () => {
  test("delivers messages in flight before it stops", async () => {
    const { simulator, launch } = scenario;
    const [business, contact] = [uuidv7(), newPhone()];
    await makePhone(simulator, contact);
    const shard = launch();
    await shard.pair(simulator, business, newPhone());
    await control(simulator, "POST", "/faults", { kind: "ack_delay", ms: 500 });
    const sending = shard.send(business, [text(contact, "last words")]);
    await until(async () => (await screenOf(simulator, contact)).texts.length === 1);
    shard.process.kill("SIGTERM");
    expect((await sending)[0]?.status).toBe("sent");
    expect(await shard.exited).toBe(0);
    const successor = launch();
    await successor.reaches(business, "open");
  });

  test("logs neither keys nor content", async () => {
    const { simulator, launch, keys, index } = scenario;
    const [business, phone, contact] = [uuidv7(), newPhone(), newPhone()];
    await makePhone(simulator, contact);
    const shard = launch({ LOG_LEVEL: "trace" });
    await shard.pair(simulator, business, phone);
    await shard.send(business, [text(contact, "the secret of the day")]);
    await control(simulator, "POST", `/phones/${contact}/messages`, { to: phone, text: "the secret answer" });
    await until(async () => (await shard.readJournal("inbound")).length === 1);
    const { logins } = simulator.simulation.stats;
    await control(simulator, "POST", "/faults", { kind: "drop", phone });
    await until(() => simulator.simulation.stats.logins > logins, { what: "the next login" });
    await shard.reaches(business, "open");
    shard.process.kill("SIGTERM");
    await shard.exited;
    const log = shard.log();
    expect(log).toContain('"status":"open"');
    for (const secret of [
      "secret",
      "privKey",
      "rootKey",
      "Closing session",
      "ephemeralKeyPair",
      keys.slice(3),
      shardToken(token, index + 1),
    ]) {
      expect(log).not.toContain(secret);
    }
  });

  test("moves from the shared ring to its own", async () => {
    const { simulator, launch, keys, index } = scenario;
    const business = uuidv7();
    const own = shardKeys(
      `s1:${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64")}`,
      index + 1,
    );
    const startWith = async (ring: string, first = false) => {
      const shard = launch({ AUTH_KEYS: ring });
      if (first) await shard.pair(simulator, business, newPhone());
      else await shard.reaches(business, "open");
      return shard;
    };
    await kill(await startWith(keys, true));
    const both = await startWith(`${own},${keys}`);
    await until(() => both.log().includes("sealed again under the first key"), {
      what: "the volume to be sealed again",
    });
    // The rest of the line may be read later.
    await until(() => both.log().includes('"former_keys_needed":false'), { what: "the rest of the line" });
    await kill(both);
    await startWith(own);
  });

  test("names every faulty variable and exits 2", async () => {
    const { launch } = scenario;
    const shard = launch({ AUTH_KEYS: "nonsense", SHARD_TOKEN: "short", WA_NOISE_ROOT: "x", REDIS_URL: "" });
    expect(await shard.exited).toBe(2);
    for (const name of ["AUTH_KEYS", "SHARD_TOKEN", "WA_NOISE_ROOT", "REDIS_URL"]) expect(shard.log()).toContain(name);
  });
});
