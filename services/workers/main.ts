import { ProxyPool } from "../../lib/egress/index.ts";
import { createConsul } from "../../lib/consul/client.ts";
import { registerService } from "../../lib/consul/register.ts";
import { messageOf } from "../../lib/core/errors.ts";
import { createDatabase, runDatabaseClock, workerWaits } from "../../lib/db/index.ts";
import { startMemoryGuard } from "../../lib/events/index.ts";
import {
  createJobMetrics,
  createProducer,
  createQueueWorker,
  queuesOf,
  startScheduler,
} from "../../lib/queues/index.ts";
import { createRedis } from "../../lib/redis/client.ts";
import { createRouter, exposeRouter } from "../../lib/routing/index.ts";
import { check, operations, serve } from "../../lib/runtime/http.ts";
import { run } from "../../lib/runtime/lifecycle.ts";
import { createLogger } from "../../lib/runtime/log.ts";
import { createMetrics } from "../../lib/runtime/metrics.ts";
import { withoutRepeats } from "../../lib/runtime/repeats.ts";
import { exportTraces } from "../../lib/runtime/tracing.ts";
import { createMediaQuota } from "../../lib/quotas/index.ts";
import { createMediaSigner } from "../../lib/media-store/index.ts";
import { createSealedStore, createStore } from "../../lib/storage/index.ts";
import type { SealedStore } from "../../lib/storage/index.ts";
import {
  createShardChats,
  createShardClient,
  createShardMedia,
  createShardMoves,
} from "../../lib/contracts/shard/index.ts";
import { createAddressPolicy } from "../../lib/webhooks/address_policy.ts";
import { createWebhookSecrets } from "../../lib/webhooks/signature.ts";
import { loadWorkersConfig } from "./config.ts";
import { auditReadDays, endedKeyDays, groupReceiptDays, leaseTimes, quarantineDays } from "./deps.ts";
import { createWorkerPublisher } from "./events/publisher.ts";
import { createHandlers } from "./jobs.ts";
import { createDecoder } from "./media/decoder/decoder.ts";
import type { RecordingDeps } from "./calls/fetch_recordings.ts";
import { exposeLastBackup } from "./upkeep/last_backup.ts";
import { healthPolicy } from "./webhooks/health.ts";
import { createWorkMetrics } from "./work_metrics.ts";

const config = loadWorkersConfig();
const name = `prosaas-worker-${config.WORKER_GROUP}`;
const logger = createLogger(name, config.LOG_LEVEL);

await run(name, logger, async (life) => {
  const metrics = createMetrics(name);
  await exportTraces({ config, name, life, logger, metrics });
  const served = queuesOf(config.WORKER_GROUP);

  const db = createDatabase({
    url: config.DATABASE_URL_POOLER,
    poolSize: config.DATABASE_POOL_SIZE,
    applicationName: name,
    waits: workerWaits,
  });
  life.onStop("database", () => db.close());
  const clock = await runDatabaseClock(db, life, logger, metrics);
  const warn = (what: string) =>
    withoutRepeats((error, held_back) => logger.warn({ error: messageOf(error), held_back }, what));
  const onRedisError = warn("redis");
  const commands = createRedis(config.REDIS_URL, "command", onRedisError);
  life.onStop("redis", () => commands.disconnect());
  const queueing = createRedis(config.REDIS_URL, "queue", onRedisError);
  life.onStop("redis of the queues", () => queueing.disconnect());
  life.onStop("memory guard", startMemoryGuard(commands, metrics));
  const producer = createProducer(commands);
  life.onStop("producer", () => producer.close());

  const consul = createConsul({ addr: config.CONSUL_HTTP_ADDR, token: config.CONSUL_HTTP_TOKEN });
  const router = createRouter({
    consul,
    numShards: config.BAILEYS_NUM_SHARDS,
    overrides: config.overrides,
    signal: life.stopping,
    onError: warn("consul"),
  });
  exposeRouter(metrics, router);
  exposeLastBackup(metrics, { consul, signal: life.stopping, onError: warn("consul") });

  const files = createStore(config);
  const store = files && createSealedStore(files, config.DATA_KEYS);
  const egress = await ProxyPool.start({ proxies: config.EGRESS_PROXIES });
  life.onStop("egress proxies", () => egress.stop());
  const handlers = createHandlers({
    db,
    redis: commands,
    router,
    shards: createShardClient({ token: config.SHARD_TOKEN }),
    moves: createShardMoves({ token: config.SHARD_TOKEN }),
    shardMedia: createShardMedia({ token: config.SHARD_TOKEN }),
    shardChats: createShardChats({ token: config.SHARD_TOKEN }),
    producer,
    publishEvents: createWorkerPublisher(commands, producer, logger),
    logger,
    metrics: createWorkMetrics(metrics),
    leaseTimes,
    webhooks: {
      policy: createAddressPolicy({ allowPrivate: config.WEBHOOKS_ALLOW_PRIVATE }),
      secrets: createWebhookSecrets(config.DATA_KEYS),
      timeoutMs: config.WEBHOOK_TIMEOUT_MS,
      health: healthPolicy,
    },
    media: store && {
      store,
      host: config.WA_MEDIA_HOST,
      egress: config.EGRESS_PROXIES.all().length === 0 ? undefined : egress,
      signer: createMediaSigner(config.DATA_KEYS, config.PUBLIC_URL),
      decoder: createDecoder(),
      quota: createMediaQuota(db, config.MEDIA_QUOTA_BYTES, { onError: warn("media quota") }),
    },
    retention: {
      media: { orphanDays: config.MEDIA_ORPHAN_DAYS, usedDays: config.MEDIA_RETENTION_DAYS ?? null },
      messageMonths: config.MESSAGE_RETENTION_MONTHS ?? null,
      businessDays: config.DELETED_BUSINESS_RETENTION_DAYS,
      deliveryDays: config.DELIVERY_RETENTION_DAYS,
      quarantineDays,
      endedKeyDays,
      auditReadDays,
      groupReceiptDays,
    },
    recordings: recordingsOf(config, store),
  });
  const jobMetrics = createJobMetrics(metrics, commands, served);
  const workers = served.map((queue) =>
    createQueueWorker({ queue, redis: queueing, handlers, logger, metrics: jobMetrics }),
  );
  life.onStop("workers", () => Promise.all(workers.map((worker) => worker.close(config.STOP_GRACE_MS))));
  const scheduler = startScheduler({ redis: commands, served, onError: warn("schedules") });
  life.onStop("scheduler", () => scheduler.close());

  // A worker answers only its operator: its work comes from the queues.
  const app = operations({
    logger,
    metrics,
    metricsToken: config.METRICS_TOKEN,
    ready: () =>
      Promise.all([check("redis", () => commands.ping()), check("database", () => db.ping()), clock.check()]),
  });
  const { host, port } = serve({ app, host: config.HOST, port: config.OPS_PORT, life });
  if (!config.supervised) await registerService({ consul, life, logger, name, address: host, port, opsPort: port });
  logger.info({ port, ops_port: port, queues: served }, "listening");
});

function recordingsOf(given: typeof config, store: SealedStore | null): RecordingDeps | null {
  const { TWILIO_ACCOUNT_SID: accountSid, TWILIO_AUTH_TOKEN: authToken, TWILIO_API_URL: apiUrl } = given;
  return store === null || accountSid === undefined || authToken === undefined
    ? null
    : { store, apiUrl, accountSid, authToken };
}
