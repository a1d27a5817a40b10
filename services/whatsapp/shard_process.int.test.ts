import { afterAll, afterEach, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createConsul, kvGet } from "../../lib/consul/client.ts";
import { uuidv7 } from "../../lib/core/ids.ts";
import { createDirectory, ownerKey, shardService } from "../../lib/routing/index.ts";
import { freePort } from "../../lib/testing/free_port.ts";
import { testConsulAddr, testRedisUrl } from "../../lib/testing/servers.ts";
import { until } from "../../lib/testing/until.ts";
import type { BatchMessage, SendResult } from "../../lib/contracts/shard/schemas.ts";
import { shardKeys, shardToken } from "../../lib/contracts/shard/secrets.ts";
import {
  control,
  isOperational,
  makePhone,
  newKeys,
  newPhone,
  newVolume,
  screenOf,
  ShardUnderTest,
  startSimulator,
  text,
  token,
} from "./testing/shard_under_test.ts";
import type { Simulator } from "./testing/shard_under_test.ts";

// Processes are started again and again, on machines that may be busy.
setDefaultTimeout(60_000);

/** A shard as it runs in production: a process of its own. */
type Process = ShardUnderTest & {
  process: Bun.Subprocess<"ignore", "pipe", "pipe">;
  log: () => string;
  exited: Promise<number>;
};

// Numbers that nothing else on the test's Consul uses.
let index = 4_000 + Math.floor(Math.random() * 1_000);
let simulator: Simulator;
let volume: string;
let keys: string;
let running: Process[];

beforeAll(() => {
  simulator = startSimulator();
});
afterAll(() => simulator.stop());
beforeEach(() => {
  [volume, keys, running] = [newVolume(), newKeys(), []];
  index += 2;
});
afterEach(async () => {
  for (const { process } of running) process.kill("SIGKILL");
  await Promise.all(running.map(({ exited }) => exited));
  await control(simulator, "DELETE", "/faults");
  rmSync(volume, { recursive: true });
});

function launch(env: Record<string, string> = {}, flags: string[] = []): Process {
  const process = Bun.spawn([globalThis.process.execPath, "run", ...flags, join(import.meta.dir, "main.ts")], {
    env: {
      PATH: globalThis.process.env["PATH"] ?? "",
      SHARD_INDEX: String(index),
      AUTH_DIR: volume,
      AUTH_KEYS: keys,
      SHARD_TOKEN: shardToken(token, index + 1),
      PACING: "off",
      WA_WEBSOCKET_URL: simulator.wsUrl,
      WA_NOISE_ROOT: simulator.rootBase64,
      REDIS_URL: testRedisUrl("shards"),
      CONSUL_HTTP_ADDR: testConsulAddr(),
      NOMAD_ALLOC_ID: "under-test",
      ...env,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let log = "";
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    for await (const chunk of stream) log += Buffer.from(chunk).toString();
  };
  const read = Promise.all([collect(process.stdout), collect(process.stderr)]);
  const port = (path: string) => (isOperational(path) ? /"ops_port":(\d+)/ : /"port":(\d+)/).exec(log)?.[1];
  const api = new ShardUnderTest(
    async (path, init) =>
      fetch(`http://127.0.0.1:${await until(() => port(path), { what: "the port", deadlineMs: 30_000 })}${path}`, init),
    shardToken(token, index + 1),
  );
  const exited = process.exited.then(async (code) => {
    await read;
    return code;
  });
  const started = Object.assign(api, { process, log: () => log, exited });
  running.push(started);
  return started;
}

/** A way to a server that can be cut. */
function proxyTo(hostname: string, port: number) {
  const clients = new Set<Bun.Socket<{ upstream: Promise<Bun.Socket> }>>();
  const server = Bun.listen<{ upstream: Promise<Bun.Socket> }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (client) => {
        clients.add(client);
        const upstream = Bun.connect({
          hostname,
          port,
          socket: { data: (_, chunk) => void client.write(chunk), close: () => void client.end() },
        });
        client.data = { upstream };
      },
      data: (client, chunk) => void client.data.upstream.then((upstream) => upstream.write(chunk)),
      close: (client) => {
        clients.delete(client);
        void client.data.upstream.then((upstream) => upstream.end());
      },
    },
  });
  return {
    port: server.port,
    stop: () => {
      server.stop(true);
      for (const client of clients) client.terminate();
    },
  };
}

/** What the worker does: hands the same batch over until each message is decided. */
async function deliver(
  target: () => ShardUnderTest,
  business: string,
  messages: BatchMessage[],
): Promise<SendResult[]> {
  return until<SendResult[] | undefined>(
    async () => {
      const results = await target().send(business, messages);
      return results.every(({ status }) => status !== "retry") ? results : undefined;
    },
    { what: "every message to be decided", deadlineMs: 50_000, everyMs: 100 },
  );
}

const kill = async (shard: Process) => {
  shard.process.kill("SIGKILL");
  await shard.exited;
};

test("killed in mid-batch, again and again: no new QR, nothing lost, nothing twice, order kept, both ways", async () => {
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

test("a message that kills the process twice is quarantined, and others are not", async () => {
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
  const { id } = await write("a text that kills whoever decodes it");
  await first.exited;
  await write("behind it");
  await start().exited;
  const survivor = start();
  await until(async () => (await survivor.readJournal("inbound")).length === 3, {
    what: "all three messages",
    deadlineMs: 30_000,
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
  expect(survivor.log()).toContain(`"wa_message_id":"${id}"`);
  expect(await survivor.view(business)).toMatchObject({ status: "open" });
});

test("a killed shard's successor on the same volume takes over at once", async () => {
  const business = uuidv7();
  const first = launch();
  await first.pair(simulator, business, newPhone());
  await kill(first);
  const before = performance.now();
  const second = launch();
  await second.reaches(business, "open");
  // Consul would reap the dead owner's session only after up to 30 s.
  expect(performance.now() - before).toBeLessThan(15_000);
});

test("killed in the middle of a pairing, it opens without a second scan once the phone has linked it", async () => {
  const [business, phone] = [uuidv7(), newPhone()];
  await makePhone(simulator, phone);
  const shard = launch();
  await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
  const { qr } = await shard.reaches(business, "qr");
  await control(simulator, "POST", `/phones/${phone}/scan`, { qr });
  await kill(shard);
  expect(await launch().reaches(business, "open")).toMatchObject({ phone });
});

test("without Consul a running shard goes on, and a killed one comes back", async () => {
  const [business, contact] = [uuidv7(), newPhone()];
  await makePhone(simulator, contact);
  const [host, port] = testConsulAddr().split(":");
  const consul = proxyTo(host!, Number(port));
  const env = { CONSUL_HTTP_ADDR: `127.0.0.1:${consul.port}` };
  const shard = launch(env);
  await shard.pair(simulator, business, newPhone());
  consul.stop();
  expect((await shard.send(business, [text(contact, "without Consul")]))[0]?.status).toBe("sent");
  await kill(shard);
  const successor = launch(env);
  await successor.reaches(business, "open");
  expect((await successor.request("GET", "/ready")).status).toBe(200);
  expect((await successor.send(business, [text(contact, "still without")]))[0]?.status).toBe("sent");
});

test("a second process on the same volume, or with the same number, ends with a sentence; the first goes on", async () => {
  const first = launch();
  await until(async () => (await first.request("GET", "/ready")).ok);
  const sameVolume = launch();
  expect(await sameVolume.exited).toBe(1);
  expect(sameVolume.log()).toContain("is in use by another process");

  const other = newVolume();
  const sameNumber = launch({ AUTH_DIR: other });
  expect(await sameNumber.exited).toBe(1);
  expect(sameNumber.log()).toContain("is held by another owner");
  rmSync(other, { recursive: true });
  expect((await first.request("GET", "/ready")).status).toBe(200);
});

test("while another instance claims its number too, routers go to the one that holds the lock", async () => {
  const port = await freePort();
  const owner = launch({ PORT: `${port}` });
  await until(async () => (await owner.request("GET", "/ready")).ok);
  const consul = createConsul({ addr: testConsulAddr() });
  const claimants = [port + 1, port].map((claimed) => ({ id: `claimant-${claimed}`, port: claimed }));
  for (const claimant of claimants) {
    await consul.api.agent.service.register({
      ...claimant,
      name: shardService,
      address: "127.0.0.1",
      meta: { shard: `${index + 1}` },
    });
  }
  const stop = new AbortController();
  const { addresses } = createDirectory({ consul, signal: stop.signal });
  await until(() => addresses.get(index + 1)?.url === `http://127.0.0.1:${port}`, { what: "the owner's address" });
  stop.abort();
  for (const { id } of claimants) await consul.api.agent.service.deregister(id);
});

test("another shard's volume, and one of unknown origin, are refused with a sentence", async () => {
  const first = launch();
  await until(async () => (await first.request("GET", "/ready")).ok);
  await kill(first);
  const foreign = launch({ SHARD_INDEX: String(index + 1) });
  expect(await foreign.exited).toBe(1);
  expect(foreign.log()).toContain(`belongs to shard ${index + 1}`);

  const unknown = newVolume();
  mkdirSync(join(unknown, "sessions"));
  writeFileSync(join(unknown, "sessions", "x"), "");
  const refused = launch({ AUTH_DIR: unknown });
  expect(await refused.exited).toBe(1);
  expect(refused.log()).toContain("no shard.json");
  rmSync(unknown, { recursive: true });
});

test("an owner whose lock another took stops everything and ends", async () => {
  const business = uuidv7();
  const shard = launch();
  await shard.pair(simulator, business, newPhone());
  const consul = createConsul({ addr: testConsulAddr() });
  const key = ownerKey(index + 1);
  const entry = await kvGet(consul, key);
  await consul.api.session.destroy(entry!.session!);
  const { ID: usurper } = await consul.api.session.create({ name: "usurper", ttl: "60s", lockdelay: "0s" });
  expect(await consul.api.kv.set({ key, value: "usurper", acquire: usurper })).toBeTrue();
  expect(await shard.exited).toBe(1);
  expect(shard.log()).toContain("is owned by another process now");
  await consul.api.session.destroy(usurper);
});

test("a stop finishes what is on its way, logs nobody out, and frees the number", async () => {
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

test("no key and no content is in the log of a shard that pairs, sends, receives and is refused", async () => {
  const [business, phone, contact] = [uuidv7(), newPhone(), newPhone()];
  await makePhone(simulator, contact);
  const shard = launch({ LOG_LEVEL: "trace" });
  await shard.pair(simulator, business, phone);
  await shard.send(business, [text(contact, "the secret of the day")]);
  await control(simulator, "POST", `/phones/${contact}/messages`, { to: phone, text: "the secret answer" });
  await until(async () => (await shard.readJournal("inbound")).length === 1);
  await control(simulator, "POST", "/faults", { kind: "drop", phone });
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

test("a volume from the ring that all shards shared goes on under the shard's own, without a scan", async () => {
  const business = uuidv7();
  const own = shardKeys(`s1:${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64")}`, index + 1);
  const startWith = async (ring: string) => {
    const shard = launch({ AUTH_KEYS: ring });
    if (running.length === 1) await shard.pair(simulator, business, newPhone());
    else await shard.reaches(business, "open");
    return shard;
  };
  await kill(await startWith(keys));
  const both = await startWith(`${own},${keys}`);
  await until(() => both.log().includes("sealed again under the first key"), { what: "the volume to be sealed again" });
  expect(both.log()).toContain('"former_keys_needed":false');
  await kill(both);
  await startWith(own);
});

test("with a faulty configuration it names every variable at fault and exits 2", async () => {
  const shard = launch({ AUTH_KEYS: "nonsense", SHARD_TOKEN: "short", WA_NOISE_ROOT: "x", REDIS_URL: "" });
  expect(await shard.exited).toBe(2);
  for (const name of ["AUTH_KEYS", "SHARD_TOKEN", "WA_NOISE_ROOT", "REDIS_URL"]) expect(shard.log()).toContain(name);
});
