import { randomBytes } from "node:crypto";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { createDatabase, forBusiness, insertWebhook } from "../../../lib/db/index.ts";
import type { Database, NewWebhook } from "../../../lib/db/index.ts";
import { connectAsOwner } from "../../../lib/db/client/owner.ts";
import type { OwnerConnection } from "../../../lib/db/client/owner.ts";
import { createBusinessRow } from "../../../lib/testing/business.ts";
import { startPooler } from "../../../lib/testing/pgbouncer.ts";
import type { Pooler } from "../../../lib/testing/pgbouncer.ts";
import { createTestReplica } from "../../../lib/testing/replica.ts";
import type { TestReplica } from "../../../lib/testing/replica.ts";
import { asRedisUser } from "../../../lib/testing/redis_users.ts";
import type { RedisUser } from "../../../lib/testing/redis_users.ts";
import { until } from "../../../lib/testing/until.ts";
import { createWebhookSecrets, generateWebhookSecret } from "../../../lib/webhooks/signature.ts";
import type { SubscribableEvent } from "../../../lib/events/index.ts";
import { startTogether } from "./cleanup.ts";
import { createKey } from "./customers.ts";
import { startEdge } from "./edge.ts";
import type { Edge, EdgeOptions } from "./edge.ts";
import { pairAll } from "./pairing.ts";
import type { Business } from "./pairing.ts";
import { postgresServer } from "./postgres.ts";
import type { PostgresServer } from "./postgres.ts";
import { createServiceStarter } from "./services.ts";
import type { RigProcess, Service, StartService } from "./services.ts";
import { registerShard } from "./shard.ts";
import type { ShardProcess } from "./shard.ts";
import { startShardRig } from "./shard_rig.ts";
import type { ShardRig, ShardRigOptions } from "./shard_rig.ts";
import type { Supervised } from "./supervised.ts";

/** Same as default_pool_size in nomad/data/pgbouncer.nomad.hcl. */
const productionPoolSize = 40;

/** PostgreSQL settings of nomad/data/postgres.nomad.hcl: a committed transaction survives a crash of the machine. */
const durablePostgres = {
  fsync: "on",
  synchronous_commit: "on",
  shared_buffers: "256MB",
  max_wal_size: "1GB",
  wal_compression: "on",
};
/** Persistence of nomad/data/redis.nomad.hcl. */
const appendOnly = { appendonly: "yes", appendfsync: "everysec" };

export type WorkerPlan = {
  /** WORKER_GROUP. */
  group: string;
  env?: Record<string, string>;
  /** A script that is loaded before the program, for example one that skews the clock. */
  preload?: string;
};

export type PlatformOptions = ShardRigOptions & {
  /** Replicas of the API. */
  apis?: number;
  /** Pairing needs a group that serves every queue, or all groups. */
  workers?: readonly WorkerPlan[];
  /** Postgres and Redis persist as in production, at the same cost. */
  durable?: boolean;
  /** Settings of PostgreSQL that override the rig's own. */
  postgres?: Record<string, string>;
  poolSize?: number;
  /** A streaming replica, from which the API reads what may lag. */
  replica?: boolean;
  /**
   * How services find shards: through Consul as in production, or by BAILEYS_SHARD_n_URL, which a Consul outage spares.
   */
  discovery?: "consul" | "environment";
  /** Settings of every service that override the rig's own. */
  env?: Record<string, string>;
};

/** A business of the rig with an API key. */
export type Customer = Business & { key: string; shard: number };

/** The platform as processes of this machine, without Nomad. */
export type Platform = ShardRig & {
  postgres: PostgresServer;
  pooler: Pooler;
  replica: TestReplica | undefined;
  /** The database as the services see it, and as its owner does. */
  db: Database;
  owner: OwnerConnection;
  /** Replicas of the API, without nginx. */
  apis: readonly Service[];
  workers: Supervised[];
  /** Every process that was started so far. */
  processes: RigProcess[];
  /** Starts another service with the common settings. */
  startService: StartService;
  /** Starts nginx in front of the API and calls. */
  startEdge(options?: PlatformEdgeOptions): Promise<Edge>;
  /** Creates businesses with keys and pairs them, spread over the shards. */
  enroll(businesses: readonly Business[]): Promise<Customer[]>;
  /** Creates a webhook of a business and returns its id. */
  webhook(businessId: string, url: string, events: SubscribableEvent[], changes?: Partial<NewWebhook>): Promise<string>;
};

export type PlatformEdgeOptions = EdgeOptions & {
  /** Another condition beside the API's answer. */
  ready?: (httpsUrl: string) => Promise<boolean>;
};

export function startPlatform({
  folder,
  shards: count = 1,
  shard,
  apis: apiCount = 1,
  workers: plans = [],
  durable = false,
  postgres: postgresSettings = {},
  poolSize = productionPoolSize,
  replica: withReplica = false,
  discovery = "environment",
  env = {},
  redis: redisSettings = {},
  simulator: simulatorEnv = {},
}: PlatformOptions): Promise<Platform> {
  return startTogether(async (onStop) => {
    // PostgreSQL refuses to run as root, and its user must be able to reach its files.
    await chmod(folder, 0o755);
    const rig = await startShardRig({
      folder,
      shards: count,
      ...(shard === undefined ? {} : { shard }),
      redis: { ...(durable ? appendOnly : {}), ...redisSettings },
      simulator: simulatorEnv,
    });
    onStop(() => rig.stop());
    const { redis, consul, simulator, shards } = rig;
    const postgres = await postgresServer(folder, { ...(durable ? durablePostgres : {}), ...postgresSettings });
    onStop(() => postgres.stop());
    const owner = connectAsOwner({ url: postgres.ownerUrl, applicationName: "rig" });
    onStop(() => owner.end());
    const db = createDatabase({ url: postgres.appUrl, poolSize: 8, applicationName: "rig" });
    onStop(() => db.close());
    const replica = withReplica ? await createTestReplica(postgres.ownerUrl) : undefined;
    onStop(() => replica?.remove());
    const pooler = await startPooler(postgres.ownerUrl, { poolSize });
    onStop(() => pooler.stop());
    if (discovery === "consul") for (const one of shards) await registerShard(consul.address, one);
    for (const one of shards) one.start();
    await Promise.all(shards.map((one) => one.ready()));

    const dataKeys = `rig:${randomBytes(32).toString("base64")}`;
    const processes: RigProcess[] = [
      { name: "redis", pid: () => redis.pid() },
      { name: "consul", pid: () => consul.pid() },
      { name: "postgres", pid: () => postgres.pid() },
      { name: "pgbouncer", pid: () => pooler.pid() },
      { name: "simulator", pid: () => simulator.child.pid, opsUrl: simulator.opsUrl },
      ...shards.map((one) => ({
        name: `shard-${one.location.shard}`,
        pid: () => one.pid,
        opsUrl: `http://127.0.0.1:${one.opsPort}`,
      })),
    ];
    const startService = createServiceStarter({
      folder,
      processes,
      onStop,
      common: {
        HOST: "127.0.0.1",
        LOG_LEVEL: "info",
        DATABASE_URL_POOLER: pooler.url,
        ...(replica === undefined ? {} : { DATABASE_URL_READ: asServices(replica.url) }),
        CONSUL_HTTP_ADDR: consul.address,
        SHARD_TOKEN: shards[0]?.token ?? "a-token-of-the-rig-for-the-shards",
        DATA_KEYS: dataKeys,
        WEBHOOKS_ALLOW_PRIVATE: "true",
        RATE_LIMIT_PER_MINUTE: "10000000",
        ...(discovery === "environment" ? shardEnvironment(shards) : {}),
        ...env,
      },
    });
    const redisUrl = (user: RedisUser) => asRedisUser(`redis://${redis.address}`, user);
    const apis: Service[] = [];
    for (let n = 1; n <= apiCount; n++) {
      // Without Nomad the API registers itself in Consul, where nginx finds it.
      const name = apiCount === 1 ? "api" : `api-${n}`;
      apis.push(await startService("services/api/main.ts", name, { REDIS_URL: redisUrl("api") }));
    }
    const workers = await Promise.all(
      plans.map(async ({ group, env: own = {}, preload }, n) => {
        const name = `worker-${n + 1}-${group}`;
        const workerEnv = { WORKER_GROUP: group, NOMAD_ALLOC_ID: "rig", REDIS_URL: redisUrl("workers"), ...own };
        return (await startService("services/workers/main.ts", name, workerEnv, preload)).supervised;
      }),
    );
    const secrets = createWebhookSecrets(KeyRing.parse(dataKeys));
    const startEdgeOf = async ({ ready = async () => true, ...options }: PlatformEdgeOptions = {}) => {
      const answers = async (port: number) => {
        const url = `https://127.0.0.1:${port}`;
        const api = await fetch(`${url}/v1/openapi.json`, { tls: { rejectUnauthorized: false }, keepalive: false });
        return api.ok && (await ready(url));
      };
      const edge = await startEdge(join(folder, "edge"), consul.address, answers, options);
      onStop(() => edge.stop());
      processes.push({ name: "nginx", pid: () => edge.pid });
      return edge;
    };
    return {
      ...rig,
      postgres,
      pooler,
      replica,
      db,
      owner,
      apis,
      workers,
      processes,
      startService,
      startEdge: startEdgeOf,
      enroll: async (businesses) => {
        const customers = await Promise.all(
          businesses.map(async (business, n): Promise<Customer> => {
            const shard = (n % count) + 1;
            await createBusinessRow(db, { id: business.id, shard });
            return { ...business, key: await createKey(db, business.id), shard };
          }),
        );
        await Promise.all(
          shards.map((one) =>
            pairAll(
              one,
              simulator,
              customers.filter((customer) => customer.shard === one.location.shard),
            ),
          ),
        );
        const mirrored = async () => {
          const [row] = await owner<
            [{ count: number }]
          >`select count(*)::integer as count from whatsapp_sessions where paired`;
          return row.count >= customers.length;
        };
        await until(mirrored, { deadlineMs: 60_000, what: "the workers to store every session" });
        return customers;
      },
      webhook: async (businessId, url, events, changes = {}) => {
        const id = uuidv7();
        const secret = secrets.seal(id, generateWebhookSecret());
        const row = { id, url, description: null, events, ordered: false, max_concurrency: 8, secret, ...changes };
        await insertWebhook(forBusiness(db, businessId), row, 100);
        return id;
      },
    };
  });
}

const shardEnvironment = (shards: readonly ShardProcess[]): Record<string, string> =>
  shards.length === 0
    ? {}
    : {
        BAILEYS_NUM_SHARDS: String(shards.length),
        ...Object.fromEntries(shards.map(({ location }) => [`BAILEYS_SHARD_${location.shard}_URL`, location.url])),
      };

/** The URL with the role of the services. */
function asServices(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  url.searchParams.set("role", "prosaas_app");
  return url.toString();
}
