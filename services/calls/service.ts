import type { ConsulClient } from "../../lib/consul/client.ts";
import type { LiveValue } from "../../lib/consul/live_value.ts";
import { messageOf } from "../../lib/core/errors.ts";
import { createDatabase, firstAnswer } from "../../lib/db/index.ts";
import { createEventPublisher, createLiveStream, startMemoryGuard } from "../../lib/events/index.ts";
import { createProducer } from "../../lib/queues/index.ts";
import { createCallCapacity } from "../../lib/calls/capacity.ts";
import { createRedis } from "../../lib/redis/client.ts";
import { check, serve } from "../../lib/runtime/http.ts";
import type { Check, Served } from "../../lib/runtime/http.ts";
import type { Lifecycle } from "../../lib/runtime/lifecycle.ts";
import type { Logger } from "../../lib/runtime/log.ts";
import { createMetrics } from "../../lib/runtime/metrics.ts";
import { exportTraces } from "../../lib/runtime/tracing.ts";
import { createApps } from "./app.ts";
import { callLimitKey, createLimitMemory, followCallLimit } from "./call_limit.ts";
import { authTokensOf } from "./config.ts";
import type { CallsConfig } from "./config.ts";
import { createArchive } from "./flow/archive.ts";
import { createCallEvents } from "./flow/call_events.ts";
import { createDialAuthorization } from "./flow/dialing.ts";
import type { Core } from "./flow/core.ts";
import { createInstructions, publicUrls } from "./flow/instructions.ts";
import { keepCheckingOrphans } from "./flow/orphans.ts";
import { keepSweeping } from "./flow/sweep.ts";
import { createLineDirectory } from "./lines.ts";
import { createCallMetrics } from "./metrics.ts";
import { createDailyCalls } from "./state/daily_calls.ts";
import { createDialOrders } from "./state/dial_orders.ts";
import { createCallStore } from "./state/store.ts";
import { createCarriedStreams } from "./streams/carried.ts";
import type { CarriedStreams } from "./streams/carried.ts";
import { streamSockets } from "./streams/routes.ts";
import type { StreamData } from "./streams/routes.ts";
import { createStreamTokens } from "./streams/token.ts";
import { createCarrier } from "./twilio/rest.ts";

export type CallsService = {
  served: Served<StreamData>;
  operational: Served<undefined>;
  streams: CarriedStreams;
  core: Core;
};

export type CallsServiceOptions = {
  config: CallsConfig;
  life: Lifecycle;
  logger: Logger;
  consul: ConsulClient;
  name: string;
  /** Replaces the timeouts of what a caller waits for: on the busy machine of a test, all take longer. */
  patience?: CallPatience;
};

export type CallPatience = {
  /** For the answer to a Redis command, ms. */
  redisMs: number;
  /** For a connection to Postgres, and for each of its answers, ms. */
  databaseMs: number;
};

/**
 * Builds the service and listens. On a stop it takes no new calls, carries the live ones until they end or the grace
 * period is over, and hands the rest over.
 */
export async function startCalls(options: CallsServiceOptions): Promise<CallsService> {
  const { config, life, logger, consul, name, patience } = options;
  const metrics = createMetrics(name);
  await exportTraces({ config, name, life, logger, metrics });
  const db = createDatabase({
    url: config.DATABASE_URL_POOLER,
    poolSize: config.DATABASE_POOL_SIZE,
    applicationName: name,
    ...(patience && { waits: { acquireMs: patience.databaseMs, answerMs: patience.databaseMs } }),
  });
  life.onStop("database", () => db.close());
  const redis = createRedis(
    config.REDIS_URL,
    "gate",
    (error) => logger.warn({ error: messageOf(error) }, "Redis is unavailable"),
    patience && { commandTimeout: patience.redisMs },
  );
  life.onStop("redis", () => redis.disconnect());
  life.onStop("memory guard", startMemoryGuard(redis, metrics));
  const producer = createProducer(redis);
  life.onStop("producer", () => producer.close());

  const publishEvents = createEventPublisher({
    stream: createLiveStream(redis),
    wakeWebhook: (webhook_id) => producer.wake("deliver", { webhook_id }),
    onError: (error, entries) => logger.warn({ error: messageOf(error), entries }, "live events were not published"),
  });
  const store = createCallStore({ redis });
  const capacity = createCallCapacity({ redis, leaseMs: config.CALL_LEASE_MS, recoveryMs: config.CALL_RECOVERY_MS });
  const urls = publicUrls(config.PUBLIC_URL);
  const carrier = carrierOf(config);
  // Without the carrier's token every request is refused, so a random key is safe.
  const authTokens = authTokensOf(config);
  const [signing = crypto.randomUUID(), ...verifying] = authTokens;
  const tokens = createStreamTokens([signing, ...verifying]);
  const limit = followCallLimit({
    consul,
    first: config.MAX_CONCURRENT_CALLS,
    signal: life.stopping,
    memory: createLimitMemory({ redis }),
    onChange: (current) => logger.info({ limit: current }, "the limit of calls changed"),
    onError: (error) =>
      logger.warn({ error: messageOf(error), limit: limit.current() }, "the limit of calls could not be read"),
  });
  const core: Core = {
    store,
    capacity,
    limit,
    lines: createLineDirectory({ db, logger, ...(patience && { patienceMs: patience.databaseMs }) }),
    authorizeDial: createDialAuthorization(
      { allowedDestinations: config.CALLS_ALLOWED_DESTINATIONS, perDay: config.CALLS_PER_DAY },
      createDailyCalls({ redis }),
    ),
    archive: createArchive({ db, store, publishEvents, logger }),
    instruct: createInstructions({ urls, tokens }),
    metrics: createCallMetrics(metrics, {
      active: () => capacity.count(),
      limit: () => limit.current(),
      limitLost: () => limit.lost(),
      streams: () => streams.size(),
    }),
    logger,
    publish: createCallEvents({ db, publishEvents, logger }),
    draining: () => life.stopping.aborted,
  };

  // A replica that knows no number yet refuses every call. One that does stays ready while Postgres is unavailable.
  let hasReachedPostgres = false;
  // Leases are renewed until the last call is over, which is after the stop signal.
  const carrying = new AbortController();
  life.onStop("keeping of calls", () => carrying.abort());
  const streams = createCarriedStreams({
    core,
    tokens,
    agent: config.CALL_AGENT_URL === undefined ? null : { url: config.CALL_AGENT_URL, token: config.CALL_AGENT_TOKEN },
    agentPatienceMs: config.CALL_AGENT_PATIENCE_MS,
    idleMs: config.STREAM_IDLE_MS,
    replica: `${config.HOST}:${config.PORT}/${process.pid}`,
    redis,
    signal: carrying.signal,
    renewMs: config.CALL_LEASE_MS / 6,
  });

  const { app, internal } = createApps({
    logger,
    core,
    metrics,
    operations: {
      ready: async () => [
        await check("redis", () => redis.ping()),
        { name: "postgres", ok: hasReachedPostgres },
        { name: "taking_calls", ok: !life.stopping.aborted },
        limitCheck(limit),
      ],
      metricsToken: config.METRICS_TOKEN,
    },
    webhooks: {
      authTokens,
      accountSid: config.TWILIO_ACCOUNT_SID,
      publicUrl: config.PUBLIC_URL,
      hasAgent: config.CALL_AGENT_URL !== undefined,
      whenFull: config.CALLS_WHEN_FULL,
      recordings: { db, wake: () => producer.wake("fetch_recordings", {}) },
    },
    calls: { urls, orders: createDialOrders({ redis }), token: config.CALLS_TOKEN, carrier },
  });
  // Served until the last call is over: /ready reports that this replica takes no calls, and /metrics counts the rest.
  const operational = serve({ app: internal, host: config.HOST, port: config.OPS_PORT, life });
  // Without Postgres it listens late rather than never: the streams of calls in progress need Redis only.
  hasReachedPostgres = await firstAnswer(db, life.stopping);
  if (!hasReachedPostgres)
    void firstAnswer(db, life.stopping, Infinity).then((answered) => (hasReachedPostgres = answered));
  const served = serve<StreamData>({
    app,
    host: config.HOST,
    port: config.PORT,
    life,
    websocket: streamSockets(streams),
  });
  void keepSweeping(core, { everyMs: sweepEveryMs, signal: life.stopping });
  if (carrier !== null) void keepCheckingOrphans(core, { carrier, urls }, life.stopping);
  life.onStop("calls in progress", async () => {
    const { handedOver } = await streams.drain(config.STOP_GRACE_MS);
    if (handedOver > 0) logger.warn({ calls: handedOver }, "calls handed over to other replicas");
  });
  return { served, operational, streams, core };
}

/** A lost limit takes no replica out of service: /ready reports it, and the last known one stays. */
function limitCheck(limit: LiveValue<number>): Check {
  const detail = `${callLimitKey} is missing from Consul; the last known limit ${limit.current()} stays`;
  return { name: "call_limit", ok: true, ...(limit.lost() ? { detail } : {}) };
}

/** Interval of the sweep for calls without an announced end: long, because their slots expire earlier. */
const sweepEveryMs = 15_000;

function carrierOf({
  TWILIO_ACCOUNT_SID: accountSid,
  TWILIO_AUTH_TOKEN: authToken,
  TWILIO_API_URL: apiUrl,
}: CallsConfig) {
  if (accountSid === undefined || authToken === undefined) return null;
  return createCarrier({ apiUrl, accountSid, authToken });
}
