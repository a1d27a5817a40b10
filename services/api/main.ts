import { createCallsClient } from "../../lib/contracts/calls/index.ts";
import { createConsul } from "../../lib/consul/client.ts";
import { followValue } from "../../lib/consul/live_value.ts";
import { registerService } from "../../lib/consul/register.ts";
import { followService } from "../../lib/consul/service.ts";
import { messageOf } from "../../lib/core/errors.ts";
import {
  createDatabase,
  createReplica,
  exposeServer,
  firstAnswer,
  noReplica,
  runDatabaseClock,
} from "../../lib/db/index.ts";
import type { Database, Replica } from "../../lib/db/index.ts";
import { createFeed, createLiveStream, startMemoryGuard } from "../../lib/events/index.ts";
import {
  createDeadLetters,
  createProducer,
  exposeQueueDepths,
  queueDepths,
  queueNames,
} from "../../lib/queues/index.ts";
import { createCallCapacity } from "../../lib/calls/capacity.ts";
import { createRedis } from "../../lib/redis/client.ts";
import { createRateLimiter } from "../../lib/redis/rate_limit.ts";
import {
  assignmentRuleKey,
  cordonKey,
  createRouter,
  exposeRouter,
  parseAssignmentRule,
  parseCordon,
} from "../../lib/routing/index.ts";
import type { AssignmentRule } from "../../lib/routing/index.ts";
import { serve } from "../../lib/runtime/http.ts";
import { run } from "../../lib/runtime/lifecycle.ts";
import { createLogger } from "../../lib/runtime/log.ts";
import { createMetrics } from "../../lib/runtime/metrics.ts";
import type { Metrics } from "../../lib/runtime/metrics.ts";
import { withoutRepeats } from "../../lib/runtime/repeats.ts";
import { exportTraces } from "../../lib/runtime/tracing.ts";
import {
  createShardChats,
  createShardClient,
  createShardMoves,
  createShardPacing,
} from "../../lib/contracts/shard/index.ts";
import { maxMediaBytes } from "../../lib/media/index.ts";
import { createMediaSigner } from "../../lib/media-store/index.ts";
import { createSealedStore, createStore } from "../../lib/storage/index.ts";
import { createAddressPolicy } from "../../lib/webhooks/address_policy.ts";
import { createWebhookSecrets } from "../../lib/webhooks/signature.ts";
import { createApp } from "./app.ts";
import { loadApiConfig } from "./config.ts";
import { apiLimits } from "./http/limits.ts";
import { createLiveCalls } from "./backend/live_calls.ts";

const config = loadApiConfig();
const name = "prosaas-api";
const logger = createLogger(name, config.LOG_LEVEL);

/** Opens the read replica if one is configured; otherwise the primary serves all reads. */
function openReplica(primary: Database, metrics: Metrics): Replica {
  const reads = metrics.counter("database_history_reads_total", "Reads of history, by the server that answered.", [
    "server",
  ]);
  if (config.DATABASE_URL_READ === undefined) return noReplica(primary);
  const replica = createReplica({
    primary,
    url: config.DATABASE_URL_READ,
    poolSize: config.DATABASE_POOL_SIZE,
    applicationName: name,
    maxLagMs: config.DATABASE_READ_MAX_LAG_MS,
    onChange: (change) => logger.warn(change, "the read replica changed its state"),
    onRead: (server) => reads.inc({ server }),
  });
  const startedAt = performance.now();
  metrics.gauge("database_replica_lag_seconds", "Maximum lag of the replica; absent without one.", [], (gauge) => {
    // One that this process never saw up to date lags since the start, so that a dead one raises ReplicaLag.
    gauge.set((replica.lagMs() ?? performance.now() - startedAt) / 1_000);
  });
  return replica;
}

await run(name, logger, async (life) => {
  const metrics = createMetrics(name);
  await exportTraces({ config, name, life, logger, metrics });
  const db = createDatabase({
    url: config.DATABASE_URL_POOLER,
    poolSize: config.DATABASE_POOL_SIZE,
    applicationName: name,
  });
  life.onStop("database", () => db.close());
  const clock = await runDatabaseClock(db, life, logger, metrics);
  exposeServer(db, metrics);
  const redis = createRedis(config.REDIS_URL, "command", (error) =>
    logger.warn({ error: messageOf(error) }, "Redis is unavailable"),
  );
  life.onStop("redis", () => redis.disconnect());
  life.onStop("memory guard", startMemoryGuard(redis, metrics));
  // Workers export the queues that they serve. Of a queue whose workers are all gone, only this process reports.
  exposeQueueDepths(metrics, redis, queueNames);
  const producer = createProducer(redis);
  life.onStop("producer", () => producer.close());

  const consul = createConsul({ addr: config.CONSUL_HTTP_ADDR, token: config.CONSUL_HTTP_TOKEN });
  const router = createRouter({
    consul,
    numShards: config.BAILEYS_NUM_SHARDS,
    overrides: config.overrides,
    signal: life.stopping,
    onError: (error) => logger.warn({ error: messageOf(error) }, "the shard directory cannot be read from Consul"),
  });
  exposeRouter(metrics, router);

  const assignmentRule = followValue<AssignmentRule>({
    consul,
    key: assignmentRuleKey,
    first: "hash",
    parse: parseAssignmentRule,
    signal: life.stopping,
    onError: (error) => logger.warn({ error: messageOf(error) }, "the assignment rule cannot be read from Consul"),
  });

  const cordon = followValue<readonly number[]>({
    consul,
    key: cordonKey,
    first: [],
    parse: parseCordon,
    signal: life.stopping,
    onError: (error) => logger.warn({ error: messageOf(error) }, "the cordoned shards cannot be read from Consul"),
  });

  const callReplicas = followService({
    consul,
    name: "prosaas-calls",
    // The internal API listens on the ops port, which nginx does not proxy.
    portMeta: "ops_port",
    signal: life.stopping,
    onError: (error) => logger.warn({ error: messageOf(error) }, "the calls replicas cannot be read from Consul"),
  });

  const gate = createRedis(config.REDIS_URL, "gate");
  life.onStop("rate limits", () => gate.disconnect());

  const replica = openReplica(db, metrics);
  life.onStop("replica", () => replica.close());
  const onRedisError = withoutRepeats((error, held_back) =>
    logger.warn({ error: messageOf(error), held_back }, "the event feed lost its connection to Redis"),
  );
  const feed = createFeed({
    redis,
    blocking: createRedis(config.REDIS_URL, "queue", onRedisError),
    onError: onRedisError,
  });

  const files = createStore(config);
  const { app, operational, wakeUps, authenticator, readCounter } = createApp({
    replica,
    feed,
    liveStream: createLiveStream(redis),
    db,
    clock,
    router,
    assignmentRule: assignmentRule.current,
    cordon: cordon.current,
    shards: createShardClient({ token: config.SHARD_TOKEN, timeoutMs: 5_000 }),
    moves: createShardMoves({ token: config.SHARD_TOKEN, timeoutMs: 5_000 }),
    // Longer than the shard waits for WhatsApp, shorter than the deadline of a request.
    chats: createShardChats({ token: config.SHARD_TOKEN, timeoutMs: 8_500 }),
    pacing: createShardPacing({ token: config.SHARD_TOKEN, timeoutMs: 5_000 }),
    calls: createCallsClient({ addresses: callReplicas.addresses, token: config.CALLS_TOKEN, timeoutMs: 8_500 }),
    liveCalls: createLiveCalls({
      redis: gate,
      consul,
      // Only counts. The calls service manages the leases.
      capacity: createCallCapacity({ redis: gate, leaseMs: 0, recoveryMs: 0 }),
      firstLimit: config.MAX_CONCURRENT_CALLS,
    }),
    producer,
    queueDepths: () => queueDepths(redis),
    deadLetters: createDeadLetters(redis, producer),
    webhooks: {
      policy: createAddressPolicy({ allowPrivate: config.WEBHOOKS_ALLOW_PRIVATE }),
      secrets: createWebhookSecrets(config.DATA_KEYS),
    },
    media: {
      store: files && createSealedStore(files, config.DATA_KEYS),
      signer: createMediaSigner(config.DATA_KEYS, config.PUBLIC_URL),
    },
    logger,
    metrics,
    metricsToken: config.METRICS_TOKEN,
    publicUrl: config.PUBLIC_URL,
    edge: config.EDGE_NETWORKS,
    rateLimiter: createRateLimiter({
      redis: gate,
      limit: config.RATE_LIMIT_PER_MINUTE,
      groupLimit: config.RATE_LIMIT_PER_BUSINESS_PER_MINUTE ?? 4 * config.RATE_LIMIT_PER_MINUTE,
      windowMs: 60_000,
    }),
    quotas: {
      mediaBytes: config.MEDIA_QUOTA_BYTES,
      queuedMessages: config.QUEUED_MESSAGES_QUOTA,
      queuedBytes: config.QUEUED_BYTES_QUOTA,
    },
    limits: apiLimits({
      requests: config.MAX_CONCURRENT_REQUESTS,
      uploads: config.MAX_UPLOADS,
      files: config.MAX_DOWNLOADS,
    }),
  });
  life.onStop("wake-ups", () => wakeUps.settled());
  // A short interval, because a killed process loses its unwritten counts.
  const readFlush = setInterval(() => void readCounter.flush(), 5_000);
  life.onStop("audit of reads", () => {
    clearInterval(readFlush);
    return readCounter.flush();
  });
  const recordUse = () =>
    authenticator
      .recordUse()
      .catch((error: unknown) => logger.warn({ error: messageOf(error) }, "use of keys not recorded"));
  const useTimer = setInterval(() => void recordUse(), 60_000);
  life.onStop("use of keys", () => {
    clearInterval(useTimer);
    return recordUse();
  });
  const ops = serve({ app: operational, host: config.HOST, port: config.OPS_PORT, life });
  if (!(await firstAnswer(db, life.stopping))) logger.warn({}, "listens although the database has not answered yet");
  const { host, port } = serve({ app, host: config.HOST, port: config.PORT, life, maxBodyBytes: 2 * maxMediaBytes });
  // Closed before the server, which waits for open responses: event streams never end by themselves.
  life.onStop("events", () => feed.close());
  if (!config.supervised) await registerService({ consul, life, logger, name, address: host, port, opsPort: ops.port });
  logger.info({ port, ops_port: ops.port }, "listening");
});
