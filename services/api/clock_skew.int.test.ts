import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { uuidv7Time } from "../../lib/core/ids.ts";
import { ensureAdminKey } from "../../lib/db/keys/admin_key.ts";
import { generateKey } from "../../lib/db/keys/api_key.ts";
import { createMigratedDatabase } from "../../lib/testing/database.ts";
import type { MigratedDatabase } from "../../lib/testing/database.ts";
import { until } from "../../lib/testing/until.ts";
import { insertOpenSession } from "./testing/stored_session.ts";

const tenMinutes = 600_000;
const adminKey = generateKey().key;
let database: MigratedDatabase;
let replicas: Replica[];
beforeAll(async () => {
  database = await createMigratedDatabase();
  await ensureAdminKey(database.owner, adminKey);
  replicas = await Promise.all([0, tenMinutes, -tenMinutes].map(startReplica));
});
afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.stop()));
  await database.close();
});

// oxlint-disable-next-line typescript/no-explicit-any -- a test looks into answers of every shape
type Answer = { status: number; body: any };
type Replica = {
  skewMs: number;
  log: () => string;
  request(method: string, path: string, options?: { key?: string; body?: object }): Promise<Answer>;
  stop(): Promise<void>;
};

/** Starts an API process whose clock is off by `skewMs`. */
async function startReplica(skewMs: number): Promise<Replica> {
  const root = `${import.meta.dir}/../..`;
  const api = Bun.spawn(
    [
      process.execPath,
      "run",
      "--preload",
      `${root}/services/calls/testing/wrong_clock.ts`,
      `${root}/services/api/main.ts`,
    ],
    {
      env: {
        PATH: process.env["PATH"]!,
        PORT: "0",
        OPS_PORT: "0",
        CLOCK_SKEW_MS: String(skewMs),
        DATABASE_URL_POOLER: database.appUrl,
        REDIS_URL: "redis://127.0.0.1:1",
        CONSUL_HTTP_ADDR: "127.0.0.1:1",
        SHARD_TOKEN: "a token of the shards",
        DATA_KEYS: `test:${randomBytes(32).toString("base64")}`,
        NOMAD_ALLOC_ID: "supervised",
      },
      stdout: "pipe",
      stderr: "ignore",
    },
  );
  let log = "";
  void (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of api.stdout) log += decoder.decode(chunk, { stream: true });
  })();
  const [, port] = await until(() => /"port":(\d+)/.exec(log), { what: "the port in the log" });
  const url = `http://127.0.0.1:${port}`;
  const [, opsPort] = await until(() => /"ops_port":(\d+)/.exec(log), { what: "the operational port in the log" });
  // A start waits for the database's time for two seconds only.
  const isMeasured = async () => {
    const answer = await fetch(`http://127.0.0.1:${opsPort}/ready`);
    return answer.ok && /\d+ ms (ahead of|behind)/.test(await answer.text());
  };
  await until(isMeasured, { what: "the database's time" });
  return {
    skewMs,
    log: () => log,
    request: async (method, path, { key = adminKey, body } = {}) => {
      const answer = await fetch(`${url}${path}`, {
        method,
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: answer.status, body: await answer.json().catch(() => undefined) };
    },
    stop: async () => {
      api.kill("SIGTERM");
      await api.exited;
    },
  };
}

const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();
const databaseNow = async () => {
  const [row] = await database.owner<
    [{ at: number }]
  >`select (extract(epoch from clock_timestamp()) * 1000)::float8 as at`;
  return row.at;
};
/** Creates a paired business. */
const newBusiness = async () => {
  const { id } = (await replicas[0]!.request("POST", "/v1/businesses", { body: { name: "x" } })).body as { id: string };
  await insertOpenSession({ database }, id);
  return id;
};

describe("replicas whose clocks differ by ten minutes", () => {
  test("list messages in commit order", async () => {
    const messages = `/v1/businesses/${await newBusiness()}/messages`;
    const sent: string[] = [];
    for (let n = 0; n < 6; n++) {
      const answer = await replicas[n % 3]!.request("POST", messages, {
        body: { to: "5511987654321", type: "text", text: `${n}` },
      });
      expect(answer.status).toBe(202);
      sent.push(answer.body.id);
      // A replica knows the time to within half a round trip.
      const written = uuidv7Time(answer.body.id);
      await until(async () => (await databaseNow()) > written + 500, { what: "the next half second" });
    }
    for (const replica of replicas) {
      const listed = (await replica.request("GET", messages)).body.data.map((message: { id: string }) => message.id);
      expect(listed).toEqual(sent.toReversed());
    }
  });

  test("agree on the expiry of keys", async () => {
    const keys = `/v1/businesses/${await newBusiness()}/keys`;
    for (const replica of replicas) {
      const fresh = await replica.request("POST", keys, { body: { scopes: ["keys:read"], expires_at: inMs(300_000) } });
      expect([replica.skewMs, fresh.status]).toEqual([replica.skewMs, 201]);
      const past = await replica.request("POST", keys, { body: { scopes: ["keys:read"], expires_at: inMs(-300_000) } });
      expect([replica.skewMs, past.status]).toEqual([replica.skewMs, 400]);
      for (const other of replicas)
        expect((await other.request("GET", keys, { key: fresh.body.key })).status).toBe(200);
    }
  });

  test("agree on the expiry of messages", async () => {
    const messages = `/v1/businesses/${await newBusiness()}/messages`;
    const message = { to: "5511987654321", type: "text", text: "x" };
    for (const replica of replicas) {
      const statuses = [];
      for (const ms of [300_000, -300_000]) {
        statuses.push((await replica.request("POST", messages, { body: { ...message, expires_at: inMs(ms) } })).status);
      }
      expect([replica.skewMs, ...statuses]).toEqual([replica.skewMs, 202, 400]);
    }
  });

  test("log the difference", async () => {
    const warning = "this machine's clock differs from the database's";
    await until(() => replicas.slice(1).every((replica) => replica.log().includes(warning)), { what: "the warnings" });
    expect(replicas[0]!.log()).not.toContain(warning);
  });
});
