import { createApiClient } from "../../../lib/api-client/index.ts";
import type { ApiClient } from "../../../lib/api-client/index.ts";
import { AppError } from "../../../lib/core/errors.ts";
import { noReplica } from "../../../lib/db/index.ts";
import { createRouterOver } from "../../../lib/routing/index.ts";
import { createLogger } from "../../../lib/runtime/log.ts";
import { createMetrics } from "../../../lib/runtime/metrics.ts";
import { ensureAdminKey } from "../../../lib/db/keys/admin_key.ts";
import { generateKey } from "../../../lib/db/keys/api_key.ts";
import { createMigratedDatabase } from "../../../lib/testing/database.ts";
import type { LiveEvent } from "../../../lib/events/index.ts";
import type { MigratedDatabase } from "../../../lib/testing/database.ts";
import { createConformance } from "../../../lib/testing/openapi.ts";
import type { Conformance, OpenApiDocument } from "../../../lib/testing/openapi.ts";
import { createApp } from "../app.ts";
import type { Api } from "../app.ts";
import type { ApiDependencies } from "../backend/dependencies.ts";
import { createFakeDeadLetters } from "./fake_dead_letters.ts";
import { createFakeCalls } from "./fake_calls.ts";
import { createFakeChats } from "./fake_chats.ts";
import type { FakeCalls } from "./fake_calls.ts";
import type { FakeChats } from "./fake_chats.ts";
import { createFakeLiveCalls } from "./fake_live_calls.ts";
import type { FakeLiveCalls } from "./fake_live_calls.ts";
import { createFakePacing } from "./fake_pacing.ts";
import type { FakePacing } from "./fake_pacing.ts";
import { createFakeShards } from "./fake_shards.ts";
import type { FakeShards } from "./fake_shards.ts";
import { createTestMedia } from "./media.ts";
import { createTestWebhooks } from "./webhooks.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- a test looks into answers of every shape
export type Answer = { status: number; headers: Headers; body: any };
export type RequestOptions = { key?: string; body?: unknown; headers?: Record<string, string> };

export type Harness = Api & {
  database: MigratedDatabase;
  shards: FakeShards;
  chats: FakeChats;
  pacing: FakePacing;
  calls: FakeCalls;
  liveCalls: FakeLiveCalls;
  /** The router's addresses of shards 1 and 2. */
  addresses: Map<number, { shard: number; url: string }>;
  /** Ids of the wake-ups in order: businesses, webhooks, broadcasts, media and moves. */
  woken: string[];
  /** Entries of live streams, in order. */
  published: LiveEvent[];
  /** Behaviour of the next wake-ups; by default they succeed. */
  producer: { wake: (businessId: string) => Promise<void> };
  adminKey: string;
  /** Sends a request, by default with the admin key. Encodes objects as JSON; sends text and bytes unchanged. */
  request(method: string, path: string, options?: RequestOptions): Promise<Answer>;
  /** The generated client over `request`. */
  client(key?: string): ApiClient;
  /** Creates a business and a key with the given scopes. */
  business(scopes?: string[]): Promise<{ id: string; key: string }>;
  close(): Promise<void>;
};

const everyScope = ["broadcasts", "business", "calls", "keys", "messages", "webhooks", "whatsapp"].flatMap((name) => [
  `${name}:read`,
  `${name}:write`,
]);

const isOperational = (path: string) => ["/health", "/ready", "/metrics"].includes(path);
const isRaw = (body: unknown): body is string | Uint8Array<ArrayBuffer> =>
  typeof body === "string" || body instanceof Uint8Array;

/** The API over a real database, with in-memory shards and a producer that records wake-ups. */
export async function createHarness({
  validate = true,
  ...changes
}: Partial<ApiDependencies> & {
  /** True to validate every response against the OpenAPI document. A fault throws. */
  validate?: boolean;
} = {}): Promise<Harness> {
  const database = await createMigratedDatabase({ poolSize: 10 });
  const { key: adminKey } = generateKey();
  await ensureAdminKey(database.owner, adminKey);
  const shards = createFakeShards();
  const chats = createFakeChats();
  const pacing = createFakePacing();
  const calls = createFakeCalls();
  const liveCalls = createFakeLiveCalls();
  const woken: string[] = [];
  const published: LiveEvent[] = [];
  const producer = { wake: async (_businessId: string) => {} };
  const directory = {
    addresses: new Map([1, 2].map((shard) => [shard, { shard, url: `http://shard-${shard}` }])),
    ageMs: () => 0,
    ready: Promise.resolve(),
  };

  const api = createApp({
    db: database.db,
    replica: noReplica(database.db),
    feed: {
      subscribe: async () => {
        throw new AppError("unavailable", "This test has no Redis.");
      },
    },
    liveStream: {
      append: async (entries) => {
        published.push(...entries);
        return true;
      },
    },
    router: createRouterOver(directory, () => 2),
    assignmentRule: () => "hash",
    cordon: () => [],
    shards,
    moves: {
      departures: async (at) =>
        shards.away ? Promise.reject(new AppError("unavailable", "away")) : { data: [], journal: at.shard },
    },
    chats,
    pacing,
    calls,
    liveCalls,
    producer: {
      wake: async (_job, payload) => {
        const [id] = Object.values(payload) as [string];
        woken.push(id);
        await producer.wake(id);
      },
    },
    queueDepths: async () => [
      { queue: "high", group: "high", waiting: 1, active: 2, delayed: 3, dead: 4, oldestMs: 5 },
    ],
    deadLetters: createFakeDeadLetters(),
    webhooks: createTestWebhooks(),
    media: createTestMedia("https://api.example.com"),
    logger: createLogger("test", "error", { write: () => {} }),
    metrics: createMetrics("test"),
    publicUrl: "https://api.example.com",
    keys: { ttlMs: 0 },
    rateLimiter: {
      limit: 1_000,
      windowMs: 60_000,
      take: async () => ({ granted: true, remaining: 999, resetMs: 60_000, limitedBy: "caller" as const }),
    },
    ...changes,
  });

  let conformance: Conformance | undefined;
  const conforms = async (method: string, path: string, answer: Answer) => {
    const { pathname } = new URL(path, "http://api");
    if (!validate || !pathname.startsWith("/v1/") || pathname === "/v1/openapi.json") return;
    conformance ??= createConformance((await (await api.app.request("/v1/openapi.json")).json()) as OpenApiDocument);
    const { status, headers, body } = answer;
    const fault = conformance.faultOf(method, pathname, { status, contentType: headers.get("content-type"), body });
    if (fault) throw new Error(fault);
  };

  const request: Harness["request"] = async (method, path, { key = adminKey, body, headers = {} } = {}) => {
    const response = await (isOperational(path) ? api.operational : api.app).request(path, {
      method,
      headers: {
        ...(key ? { authorization: `Bearer ${key}` } : {}),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isRaw(body) ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.includes("json") ?? false;
    const answer = { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
    await conforms(method, path, answer);
    return answer;
  };

  return {
    ...api,
    database,
    shards,
    chats,
    pacing,
    calls,
    liveCalls,
    addresses: directory.addresses,
    woken,
    published,
    producer,
    adminKey,
    request,
    client: (key = adminKey) =>
      createApiClient({
        baseUrl: "http://api",
        key,
        fetch: async (asked) => {
          const { pathname, search } = new URL(asked.url);
          const body = await asked.text();
          const headers = Object.fromEntries(asked.headers);
          const answer = await request(asked.method, `${pathname}${search}`, {
            key: "",
            headers,
            ...(body === "" ? {} : { body }),
          });
          const empty = answer.status === 204;
          return new Response(empty ? null : JSON.stringify(answer.body), {
            status: answer.status,
            headers: answer.headers,
          });
        },
      }),
    business: async (scopes = everyScope) => {
      const { body: business } = await request("POST", "/v1/businesses", { body: { name: "A business" } });
      const { body: made } = await request("POST", `/v1/businesses/${business.id}/keys`, { body: { scopes } });
      return { id: business.id, key: made.key };
    },
    close: async () => {
      await api.wakeUps.settled();
      await database.close();
    },
  };
}
