import { afterEach, beforeEach } from "bun:test";
import { randomBytes } from "node:crypto";
import { uuidv7, whatsappMessageId } from "../../../lib/core/ids.ts";
import type { StoredContent } from "../../../lib/messages/index.ts";
import {
  forBusiness,
  forPlatform,
  insertBusiness,
  insertWebhook,
  submitMessage,
  upsertSessions,
} from "../../../lib/db/index.ts";
import type { Message, NewWebhook, Webhook, WebhookDelivery } from "../../../lib/db/index.ts";
import { eventsOf, subscribableEvents } from "../../../lib/events/index.ts";
import type { LiveEvent } from "../../../lib/events/index.ts";
import type { QueueName } from "../../../lib/queues/index.ts";
import { startScheduler } from "../../../lib/queues/scheduler.ts";
import type { Scheduler } from "../../../lib/queues/scheduler.ts";
import type { QueueWorkerOptions } from "../../../lib/queues/worker.ts";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { createRedis } from "../../../lib/redis/client.ts";
import { createRouterOver } from "../../../lib/routing/index.ts";
import { createMetrics } from "../../../lib/runtime/metrics.ts";
import { createLogger } from "../../../lib/runtime/log.ts";
import {
  createShardChats,
  createShardClient,
  createShardMedia,
  createShardMoves,
} from "../../../lib/contracts/shard/index.ts";
import { createMigratedDatabase } from "../../../lib/testing/database.ts";
import { createTestQueues } from "../../../lib/testing/queues.ts";
import { testRedisUrl } from "../../../lib/testing/servers.ts";
import { createAddressPolicy } from "../../../lib/webhooks/address_policy.ts";

import { createWebhookSecrets, generateWebhookSecret } from "../../../lib/webhooks/signature.ts";
import type { Deps } from "../deps.ts";
import { createWorkerPublisher } from "../events/publisher.ts";
import { createHandlers } from "../jobs.ts";
import { healthPolicy } from "../webhooks/health.ts";
import { createWorkMetrics } from "../work_metrics.ts";
import { startTestEndpoint } from "./endpoint.ts";
import type { TestEndpoint } from "./endpoint.ts";
import { shardToken, startTestShard } from "./shard.ts";

/**
 * Timeout of requests, statements and leases: on a busy machine each may take seconds. A test of a timeout shortens its
 * own.
 */
const patienceMs = 30_000;

/** The workers' jobs over real Postgres and Redis, with one fake shard. */
export async function createTestWorkers() {
  const database = await createMigratedDatabase({ waits: { statementMs: patienceMs } });
  // The Redis user of production; `queues.redis` belongs to the test.
  const served = createRedis(testRedisUrl("workers"), "queue");
  const queues = await createTestQueues(testRedisUrl(), served);
  const redis = createRedis(testRedisUrl("workers"), "command", undefined, { commandTimeout: patienceMs });
  const shard = startTestShard();
  const addresses = new Map([[1, { shard: 1, url: shard.url }]]);
  const log: Record<string, unknown>[] = [];
  const metrics = createMetrics("test");
  const logger = createLogger("test", "info", { write: (line: string) => void log.push(JSON.parse(line)) });
  const deps: Deps = {
    db: database.db,
    redis,
    router: createRouterOver({ addresses, ageMs: () => 0, ready: Promise.resolve() }, () => 1),
    shards: createShardClient({ token: shardToken, timeoutMs: patienceMs }),
    moves: createShardMoves({ token: shardToken, timeoutMs: patienceMs }),
    producer: queues.producer,
    publishEvents: createWorkerPublisher(redis, queues.producer, logger),
    logger,
    metrics: createWorkMetrics(metrics),
    leaseTimes: { ttlMs: patienceMs, renewMs: 100 },
    shardMedia: createShardMedia({ token: shardToken, timeoutMs: patienceMs }),
    shardChats: createShardChats({ token: shardToken, timeoutMs: patienceMs }),
    media: null,
    retention: {
      media: { orphanDays: 7, usedDays: null },
      messageMonths: null,
      businessDays: 30,
      deliveryDays: 30,
      quarantineDays: 90,
      endedKeyDays: 90,
      auditReadDays: 400,
      groupReceiptDays: 30,
    },
    webhooks: {
      policy: createAddressPolicy({ allowPrivate: true }),
      secrets: createWebhookSecrets(KeyRing.parse(`test:${randomBytes(32).toString("base64")}`)),
      timeoutMs: patienceMs,
      health: healthPolicy,
    },
    recordings: null,
  };
  const handlers = createHandlers(deps);
  const schedulers: Scheduler[] = [];
  const endpoints: TestEndpoint[] = [];

  return {
    ...queues,
    database,
    deps,
    handlers,
    shard,
    addresses,
    metrics,
    log,
    serve: (queue: QueueName, options: Partial<QueueWorkerOptions> = {}) => queues.serve(queue, handlers, options),
    /** Runs the sweep every 200 ms. */
    sweep: async () => {
      await queues.serve("maintenance", handlers);
      const sweeping = { job: "sweep", payload: {}, everyMs: 200 } as const;
      schedulers.push(
        startScheduler({
          redis: served,
          served: ["maintenance"],
          onError: () => {},
          schedules: [sweeping],
          assertEveryMs: 200,
        }),
      );
    },
    /** A business with a paired session, on shard 1. */
    business: async (): Promise<string> => {
      const id = uuidv7();
      const now = new Date();
      await insertBusiness(forPlatform(database.db), { id, name: "Test", time_zone: "UTC" });
      const session = { shard: 1, status: "open", phone: "15550001111", lid: null, name: null, reason: null };
      await upsertSessions(forPlatform(database.db), [
        { business_id: id, paired: true, since: now, observed_at: now, ...session },
      ]);
      return id;
    },
    /** Queues one message; returns its id. */
    queueMessage: async (businessId: string, chat: string, content: string | StoredContent): Promise<string> => {
      const id = uuidv7();
      const stored = typeof content === "string" ? { type: "text", text: content } : content;
      const message = { id, chat, ...stored, wa_message_id: whatsappMessageId(id) };
      const { outcome } = await submitMessage(forBusiness(database.db, businessId), message);
      if (outcome !== "accepted") throw new Error(`the message was not accepted: ${outcome}`);
      return id;
    },
    /** A webhook endpoint of a business with its row, subscribed to every event by default. */
    endpoint: async (businessId: string, changes: Partial<NewWebhook> = {}): Promise<TestEndpoint & { id: string }> => {
      const endpoint = startTestEndpoint();
      endpoints.push(endpoint);
      const id = uuidv7();
      const secret = generateWebhookSecret();
      endpoint.secrets.push(secret);
      const row: NewWebhook = {
        id,
        url: endpoint.url,
        description: null,
        events: subscribableEvents,
        ordered: false,
        max_concurrency: 8,
        secret: deps.webhooks.secrets.seal(id, secret),
        ...changes,
      };
      await insertWebhook(forBusiness(database.db, businessId), row, 100);
      return Object.assign(endpoint, { id });
    },
    webhook: async (id: string) => (await database.owner<[Webhook]>`select * from webhooks where id = ${id}`)[0],
    /** The deliveries to an endpoint, in order of id. */
    deliveries: (webhookId: string) =>
      database.owner<WebhookDelivery[]>`select * from webhook_deliveries where webhook_id = ${webhookId} order by id`,
    /** Live-stream payloads of an event of a business, in order. */
    liveEvents: async (businessId: string, event: string): Promise<Record<string, unknown>[]> => {
      const entries = await redis.xrange(eventsOf(businessId), "-", "+");
      const parsed = entries.map(([, fields]) => JSON.parse(fields[1]!) as LiveEvent);
      return parsed.filter((live) => live.event === event).map(({ data }) => data);
    },
    /** The rows of a business, in order of id. */
    rows: (businessId: string) =>
      database.owner<Message[]>`select * from messages where business_id = ${businessId} order by id`,
    close: async () => {
      await Promise.all(schedulers.map((scheduler) => scheduler.close()));
      await queues.close();
      redis.disconnect();
      await shard.stop();
      await Promise.all(endpoints.map((endpoint) => endpoint.stop()));
      await database.close();
    },
  };
}

export type TestWorkers = Awaited<ReturnType<typeof createTestWorkers>>;

/** Workers and a business for each test of a file. */
export function useWorkers() {
  let workers: TestWorkers;
  let business: string;
  beforeEach(async () => {
    workers = await createTestWorkers();
    business = await workers.business();
  });
  afterEach(() => workers.close());
  return {
    get workers() {
      return workers;
    },
    get business() {
      return business;
    },
  };
}
