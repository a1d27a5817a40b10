import { createConsul } from "../../lib/consul/client.ts";
import type { ConsulClient } from "../../lib/consul/client.ts";
import { followValue } from "../../lib/consul/live_value.ts";
import type { LiveValue } from "../../lib/consul/live_value.ts";
import { isSupervised, registerService } from "../../lib/consul/register.ts";
import { messageOf } from "../../lib/core/errors.ts";
import { sleep } from "../../lib/core/time.ts";
import { parsePlatformPacing, platformPacingKey } from "../../lib/contracts/shard/pacing.ts";
import type { PacingSettings } from "../../lib/contracts/shard/pacing.ts";
import { parseWaVersion, waVersionKey } from "../../lib/contracts/shard/wa_version.ts";
import { ProxyPool } from "../../lib/egress/index.ts";
import { patchStates } from "../../lib/patches/applied.ts";
import { createProducer } from "../../lib/queues/producer.ts";
import { createRedis } from "../../lib/redis/client.ts";
import { operations, serve } from "../../lib/runtime/http.ts";
import type { Check } from "../../lib/runtime/http.ts";
import { run } from "../../lib/runtime/lifecycle.ts";
import type { Lifecycle } from "../../lib/runtime/lifecycle.ts";
import { createLogger } from "../../lib/runtime/log.ts";
import { createMetrics } from "../../lib/runtime/metrics.ts";
import { exportTraces } from "../../lib/runtime/tracing.ts";
import { createApp } from "./app.ts";
import type { ShardCopy } from "./copy/copy.ts";
import { connectCopy, refusalOfVolume, startCopy } from "./copy/start.ts";
import { loadShardConfig } from "./config.ts";
import { Moving } from "./moving/moving.ts";
import { Placements } from "./moving/placements.ts";
import { trustNoiseRoot } from "./session/noise_root.ts";
import { Attempts } from "./receiving/attempts.ts";
import { Journal } from "./receiving/journal.ts";
import { WakeUps } from "./receiving/wake_ups.ts";
import { KeptMessages } from "./receiving/kept_messages.ts";
import { Ledger } from "./sending/ledger.ts";
import { defaultDeafnessTimes } from "./session/deafness_detector.ts";
import { isSurvivable } from "./session/survivable.ts";
import { Shard } from "./shard.ts";
import { ShardMetrics } from "./shard_metrics.ts";
import { claimShardOnceFree } from "./volume/owner.ts";
import type { Owner } from "./volume/owner.ts";
import { resealUnderFirstKey } from "./volume/reseal.ts";
import { fileMemory } from "./volume/file_memory.ts";
import { ShardDb } from "./volume/shard_db.ts";
import { Standby } from "./volume/standby.ts";
import { claimVolume } from "./volume/volume.ts";
import type { Volume } from "./volume/volume.ts";

/** A busy business's login with a week's ledger, and a margin. */
const maxBundleBytes = 256 * 1024 * 1024;

/** How long a stopping shard waits for acknowledgements. Less than Nomad's kill_timeout. */
const graceMs = 10_000;

/** How long a start waits for the client version in Consul. */
const versionDeadlineMs = 1_000;

const config = loadShardConfig();
const number = config.SHARD_INDEX + 1;
const logger = createLogger("whatsapp-shard", config.LOG_LEVEL).child({ shard: number });
if (config.WA_NOISE_ROOT) trustNoiseRoot(config.WA_NOISE_ROOT);

const main = async (life: Lifecycle): Promise<void> => {
  const consul = createConsul({ addr: config.CONSUL_HTTP_ADDR, token: config.CONSUL_HTTP_TOKEN });
  const metrics = createMetrics("whatsapp-shard");
  const attributes = { "prosaas.shard": number };
  await exportTraces({ config, name: "whatsapp-shard", attributes, life, logger, metrics });

  const volume = claimVolume(config.AUTH_DIR, number);
  life.onStop("volume lock", () => volume.release());
  const standby = new Standby({ logger, metrics, signal: life.stopping });
  let owner: Owner | undefined;
  let db: ShardDb | undefined;
  let copy: ShardCopy | undefined;
  let shard: Shard | undefined;
  // Before the claim and a restore, which take longer than Consul's checks have patience.
  const operational = operations({
    logger,
    metrics,
    metricsToken: config.METRICS_TOKEN,
    ready: () => [{ name: "running", ok: !life.stopping.aborted }, ownerCheck(owner, standby), volumeCheck(db)],
  });
  // Nomad's deployment waits for it, and no router asks.
  operational.get("/reopened", (c) => {
    const view = shard?.reopening ?? { done: false, expected: 0, waiting: 0, ended: 0 };
    return c.json(view, view.done ? 200 : 503);
  });
  const ops = serve({ app: operational, host: config.HOST, port: config.OPS_PORT, life });
  logger.info({ ops_port: ops.port }, "serving health and metrics");
  const access = connectCopy(config, volume, life);
  await standby.until(() => refusalOfVolume(config, volume, access));
  const held = await claimShardOnceFree(
    {
      consul,
      volume,
      listens: { address: config.HOST, port: config.PORT },
      logger,
      onLost: (holder) => life.fail(new Error(`shard ${number} is owned by another process now (${holder}): stopping`)),
    },
    standby,
  );
  owner = held;
  life.onStop("shard ownership", () => held.release());
  // An empty volume is restored before its database is opened.
  const beginCopy = await startCopy({ config, volume, owner: held, access, life, logger });
  db = ShardDb.open(volume.file("shard.db"), config.AUTH_KEYS);
  life.onStop("shard database", () => db.close());

  const redis = createRedis(config.REDIS_URL, "command", (error) => logger.debug({ error }, "redis"));
  const producer = createProducer(redis);
  life.onStop("redis", async () => {
    await producer.close();
    redis.disconnect();
  });
  const wakeUps = new WakeUps(producer, number, logger);
  life.onStop("wake-ups", () => wakeUps.stop());
  const journal = new Journal(db, (stream) => wakeUps.appended(stream));
  wakeUps.watch(journal);

  const platformPacing = followPacing(consul, life.stopping);
  const waVersion = followVersion(consul, volume, life.stopping, () => shard?.versionChanged());
  // Logins with an outdated version would be refused. Without Consul the remembered version is used.
  await Promise.race([waVersion.ready, sleep(versionDeadlineMs)]);
  const shardMetrics = new ShardMetrics(metrics);
  reportPatches(shardMetrics);
  const egress = await startEgress(shardMetrics);
  life.onStop("egress proxies", () => egress.stop());
  const ledger = new Ledger(db);
  const kept = new KeptMessages(db);
  const placements = new Placements(db);
  const attempts = Attempts.open(volume.file("attempts.map"));
  // Every table exists, and nothing was written yet.
  copy = beginCopy?.(db);
  if (copy !== undefined) shardMetrics.observeCopy(copy);
  const fence = () => {
    held.fence();
    copy?.fence();
  };
  shard = new Shard({
    volume,
    keys: config.AUTH_KEYS,
    journal,
    ledger,
    kept,
    attempts,
    placements,
    storeCopies: copy?.stores,
    url: config.WA_WEBSOCKET_URL,
    paced: config.PACING === "on",
    platformPacing: platformPacing.current,
    waVersion: () => (waVersion.current() === "default" ? undefined : waVersion.current()),
    deafness: { ...defaultDeafnessTimes, idleMs: config.PROBE_IDLE_MS },
    fence,
    logger,
    egress,
    deviceName: config.WA_DEVICE_NAME,
    metrics: shardMetrics,
  });
  life.onStop("sessions", () =>
    shard.stop("the shard is stopping", held.state === "lost" || copy?.isLost ? 0 : graceMs),
  );
  await copy?.ready();
  // It may have been stopped while it waited.
  if (life.stopping.aborted) return;
  shard.resume();
  // The copy is sealed under the first key first: once the end of resealing is logged, nothing needs the older ones.
  const copied = copy?.settled();
  void (async () => {
    await copied;
    await resealUnderFirstKey({ db, journal, ledger, kept, logger });
  })();

  const app = createApp({
    shard,
    moving: new Moving({
      volume,
      db,
      ledger,
      kept,
      placements,
      sessions: shard,
      keys: config.AUTH_KEYS,
      copy,
      fence,
      logger,
    }),
    journal,
    token: config.SHARD_TOKEN,
    logger,
    version: config.NOMAD_META_RELEASE,
    metrics,
  });
  const { port } = serve({
    app,
    host: config.HOST,
    port: config.PORT,
    life,
    idleTimeoutS: 60,
    maxBodyBytes: maxBundleBytes,
  });
  logger.info({ host: config.HOST, port, token: held.token }, "listening");
  if (!isSupervised(process.env)) {
    const meta = { shard: String(number) };
    await registerService({
      consul,
      life,
      logger,
      name: "whatsapp-shard",
      address: config.HOST,
      port,
      opsPort: ops.port,
      meta,
    });
  }
};

function ownerCheck(owner: Owner | undefined, standby: Standby): Check {
  const ok = owner !== undefined && owner.state !== "lost";
  return { name: "owner", ok, detail: owner?.state ?? standby.reason ?? "starting" };
}

function volumeCheck(db: ShardDb | undefined): Check {
  const ok = db !== undefined && db.fault === undefined;
  return { name: "volume", ok, ...(db?.fault === undefined ? {} : { detail: db.fault }) };
}

function followPacing(consul: ConsulClient, signal: AbortSignal): LiveValue<PacingSettings> {
  return followValue<PacingSettings>({
    consul,
    key: platformPacingKey,
    first: {},
    parse: parsePlatformPacing,
    signal,
    onError: (error) => logger.warn({ error: messageOf(error) }, "the platform's pacing settings could not be read"),
  });
}

function followVersion(
  consul: ConsulClient,
  volume: Volume,
  signal: AbortSignal,
  onChange: () => void,
): LiveValue<string> {
  return followValue<string>({
    consul,
    key: waVersionKey,
    first: "default",
    parse: parseWaVersion,
    signal,
    memory: fileMemory(volume.file("wa_version")),
    onChange,
    onError: (error) =>
      logger.warn({ error: messageOf(error) }, "the configured WhatsApp Web version could not be read"),
  });
}

function reportPatches(shardMetrics: ShardMetrics): void {
  for (const patch of patchStates()) {
    if (patch.applied) logger.info({ patch: patch.package }, "a patch is applied");
    else {
      shardMetrics.alarm();
      logger.error({ alarm: true, patch: patch.package, missing: patch.missing }, "a patch is missing");
    }
  }
}

async function startEgress(shardMetrics: ShardMetrics): Promise<ProxyPool> {
  const { hostname, port, protocol } = new URL(config.WA_WEBSOCKET_URL);
  const egress = await ProxyPool.start({
    proxies: config.EGRESS_PROXIES,
    target: { host: hostname, port: Number(port || (protocol === "wss:" ? 443 : 80)) },
    onChange: ({ proxy, healthy, error }) => {
      if (healthy) return logger.info({ proxy }, "an egress proxy works");
      shardMetrics.alarm();
      logger.error({ alarm: true, proxy, error }, "an egress proxy does not work; its sessions cannot open");
    },
  });
  shardMetrics.observeEgress(() => egress.health());
  return egress;
}

await run("whatsapp-shard", logger, main, { survives: isSurvivable });
