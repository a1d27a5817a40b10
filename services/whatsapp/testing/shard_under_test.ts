import { randomBytes } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { uuidv7, whatsappMessageId } from "../../../lib/core/ids.ts";
import { createLogger } from "../../../lib/runtime/log.ts";
import type { OutboundContent } from "../../../lib/messages/index.ts";
import { createMetrics } from "../../../lib/runtime/metrics.ts";
import type {
  BatchMessage,
  JournalData,
  JournalPage,
  JournalStream,
  SendResult,
  SessionView,
} from "../../../lib/contracts/shard/schemas.ts";
import type { ProxyPool } from "../../../lib/egress/index.ts";
import type { PacingSettings } from "../../../lib/contracts/shard/pacing.ts";
import { maxBatch } from "../../../lib/contracts/shard/schemas.ts";
import { shardToken } from "../../../lib/contracts/shard/secrets.ts";
import { until } from "../../../lib/testing/until.ts";
// The simulator replaces WhatsApp in this service's tests only.
import { startSimulator } from "../../simulator/simulator.ts";
import type { Simulator } from "../../simulator/simulator.ts";
import { operations } from "../../../lib/runtime/http.ts";
import { createApp } from "../app.ts";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { Moving } from "../moving/moving.ts";
import { Placements } from "../moving/placements.ts";
import { trustNoiseRoot } from "../session/noise_root.ts";
import { Attempts } from "../receiving/attempts.ts";
import { Journal } from "../receiving/journal.ts";
import { KeptMessages } from "../receiving/kept_messages.ts";
import { Ledger } from "../sending/ledger.ts";
import type { DeafnessTimes } from "../session/deafness_detector.ts";
import type { PasskeyTimes } from "../session/passkey/progress.ts";
import { Shard } from "../shard.ts";
import { ShardMetrics } from "../shard_metrics.ts";
import { ShardDb } from "../volume/shard_db.ts";
import { claimVolume } from "../volume/volume.ts";

/** The token of clients, from which `shardToken` derives each shard's own. */
export const token = "a-token-for-the-shard-tests";
export const newKeys = () => `k1:${randomBytes(32).toString("base64")}`;
export const newVolume = () => mkdtempSync(join(tmpdir(), "shard-"));

/** True if a path is served on the operational port. */
export const isOperational = (path: string) => ["/health", "/ready", "/reopened", "/metrics"].includes(path);

let nextPhone = 15_550_000_000;
/** A number that no other test of this process uses. */
export const newPhone = () => String(nextPhone++);

/** A message with a fresh id. */
export const message = <C extends OutboundContent>(to: string, content: C) => {
  const id = uuidv7();
  return { id, wa_message_id: whatsappMessageId(id), to, ...content };
};

export const text = (to: string, body: string) => message(to, { type: "text", text: body });

/** The internal API of a shard as tests call it, in this process or over the network. */
export class ShardUnderTest {
  readonly #call: (path: string, init: RequestInit) => Promise<Response>;
  readonly #token: string;

  constructor(call: (path: string, init: RequestInit) => Promise<Response>, bearer = shardToken(token, 1)) {
    this.#call = call;
    this.#token = bearer;
  }

  withToken(bearer: string): ShardUnderTest {
    return new ShardUnderTest(this.#call, bearer);
  }

  async request(method: string, path: string, body?: unknown): Promise<Response> {
    return this.#call(path, {
      method,
      headers: { authorization: `Bearer ${this.#token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  async json<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.request(method, path, body);
    const answer = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${answer}`);
    return (answer === "" ? undefined : JSON.parse(answer)) as T;
  }

  view(business: string): Promise<SessionView> {
    return this.json("GET", `/sessions/${business}`);
  }

  /** Waits until the session has this status. */
  reaches(business: string, status: SessionView["status"], deadlineMs = 60_000): Promise<SessionView> {
    const what = `the session to be ${status}`;
    return until<SessionView | undefined>(
      async () => {
        const view = await this.view(business);
        return view.status === status ? view : undefined;
      },
      { what, deadlineMs },
    );
  }

  /** Pairs a business with a phone of the simulator by QR. */
  async pair(simulator: Simulator, business: string, phone: string): Promise<void> {
    await makePhone(simulator, phone);
    await this.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    const { qr } = await this.reaches(business, "qr");
    await control(simulator, "POST", `/phones/${phone}/scan`, { qr });
    await this.reaches(business, "open");
  }

  async send(
    business: string,
    messages: BatchMessage[],
    pacing?: PacingSettings,
    followsAccounts?: boolean,
  ): Promise<SendResult[]> {
    const body = { messages, pacing, follows_accounts: followsAccounts };
    return (await this.json<{ results: SendResult[] }>("POST", `/sessions/${business}/messages`, body)).results;
  }

  /** Sends a batch as a worker does: repeats undecided messages until every one has a final result. */
  async deliver(business: string, messages: BatchMessage[], deadlineMs = 90_000): Promise<SendResult[]> {
    const decided = new Map<string, SendResult>();
    const isDone = async () => {
      const left = messages.filter(({ id }) => !decided.has(id));
      for (const result of await this.send(business, left.slice(0, maxBatch)))
        if (result.status === "sent" || result.status === "failed") decided.set(result.id, result);
      return decided.size === messages.length;
    };
    await until(isDone, { what: "every message to be decided", deadlineMs });
    return messages.map(({ id }) => decided.get(id)!);
  }

  async readJournal<S extends JournalStream>(
    stream: S,
  ): Promise<{ seq: number; business_id: string; data: JournalData<S> }[]> {
    return (await this.json<JournalPage<S>>("GET", `/journal/${stream}`)).entries;
  }
}

export async function control<T>(simulator: Simulator, method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(simulator.url + path, {
    method,
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`simulator: ${method} ${path} answered ${response.status}: ${answer}`);
  return (answer === "" ? undefined : JSON.parse(answer)) as T;
}

/** The status in an entry of the journal's events; undefined if it reports none. */
export const statusIn = (data: JournalData<"events">) => (data.event === "session.status" ? data.status : undefined);

export const makePhone = (simulator: Simulator, phone: string) =>
  control(simulator, "POST", "/phones", { phone, name: `Phone ${phone}` });

/** The texts that a phone shows, in order, with its counts of duplicates and undecryptable messages. */
export async function screenOf(simulator: Simulator, phone: string) {
  const { data, duplicates, undecryptable } = await control<{
    data: { id: string; text?: string; from: string }[];
    duplicates: number;
    undecryptable: number;
  }>(simulator, "GET", `/phones/${phone}/messages`);
  return {
    texts: data.map((message) => message.text),
    ids: data.map((message) => message.id),
    duplicates,
    undecryptable,
  };
}

export type InProcess = ShardUnderTest & {
  shard: Shard;
  db: ShardDb;
  fetch(request: Request): Response | Promise<Response>;
  stop(): Promise<void>;
};

/** A shard without HTTP, Consul and Redis, on the given volume. */
export function startShard(options: {
  simulator: Simulator;
  volume: string;
  keys: string;
  url?: string;
  paced?: boolean;
  deafness?: DeafnessTimes;
  passkeyTimes?: PasskeyTimes;
  patienceMs?: number;
  waitScale?: number;
  unavailableAfterMs?: number;
  /** Default: 0, so that a test need not wait. */
  loginIntervalMs?: number;
  waVersion?: () => string | undefined;
  egress?: ProxyPool;
  deviceName?: string;
  fence?: () => void;
  shard?: number;
}): InProcess {
  trustNoiseRoot(Buffer.from(options.simulator.rootBase64, "base64"));
  const keys = KeyRing.parse(options.keys);
  const number = options.shard ?? 1;
  const volume = claimVolume(options.volume, number);
  const db = ShardDb.open(volume.file("shard.db"), keys);
  const journal = new Journal(db);
  const metrics = createMetrics("whatsapp-shard");
  const logger = createLogger("whatsapp-shard", (process.env["TEST_LOG_LEVEL"] as "info" | undefined) ?? "error");
  const ledger = new Ledger(db);
  const kept = new KeptMessages(db);
  const placements = new Placements(db);
  const fence = options.fence ?? (() => {});
  const shard = new Shard({
    volume,
    keys,
    journal,
    ledger,
    kept,
    unavailableAfterMs: options.unavailableAfterMs,
    attempts: Attempts.open(volume.file("attempts.map")),
    placements,
    url: options.url ?? options.simulator.wsUrl,
    paced: options.paced ?? false,
    deafness: options.deafness,
    passkeyTimes: options.passkeyTimes,
    patienceMs: options.patienceMs,
    waitScale: options.waitScale,
    loginIntervalMs: options.loginIntervalMs ?? 0,
    waVersion: options.waVersion,
    egress: options.egress,
    deviceName: options.deviceName,
    fence,
    logger,
    metrics: new ShardMetrics(metrics),
  });
  shard.resume();
  const moving = new Moving({ volume, db, ledger, kept, placements, sessions: shard, keys, fence, logger });
  const app = createApp({ shard, moving, journal, token: shardToken(token, number), logger, metrics });
  const operational = operations({ logger, metrics, ready: () => [] });
  const api = new ShardUnderTest(
    async (path, init) => (isOperational(path) ? operational : app).request(path, init),
    shardToken(token, number),
  );
  return Object.assign(api, {
    shard,
    db,
    fetch: app.fetch,
    stop: async () => {
      await shard.stop("the test is over", 0);
      db.close();
      volume.release();
    },
  });
}

export { startSimulator };
export type { Simulator };
