import { randomBytes } from "node:crypto";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { createDatabase, forBusiness, insertKey, insertWebhook } from "../../../lib/db/index.ts";
import type { Database, NewWebhook } from "../../../lib/db/index.ts";
import { generateKey } from "../../../lib/db/keys/api_key.ts";
import { connectAsOwner } from "../../../lib/db/client/owner.ts";
import type { OwnerConnection } from "../../../lib/db/client/owner.ts";
import { createBusinessRow } from "../../../lib/testing/business.ts";
import { freePort } from "../../../lib/testing/free_port.ts";
import { startPooler } from "../../../lib/testing/pgbouncer.ts";
import { asRedisUser } from "../../../lib/testing/redis_users.ts";
import type { RedisUser } from "../../../lib/testing/redis_users.ts";
import { until } from "../../../lib/testing/until.ts";
import { createWebhookSecrets, generateWebhookSecret } from "../../../lib/webhooks/signature.ts";
import type { SubscribableEvent } from "../../../lib/events/index.ts";
import { bunRun, startChild } from "./child.ts";
import { pairAll } from "./pairing.ts";
import type { Business } from "./pairing.ts";
import { postgresServer } from "./postgres.ts";
import { consulServer, redisServer } from "./servers.ts";
import type { Server } from "./servers.ts";
import { ShardProcess } from "./shard.ts";
import { SimulatorProcess } from "./simulator.ts";
import { Supervised } from "./supervised.ts";

/** As default_pool_size in nomad/data/pgbouncer.nomad.hcl. */
const poolSize = 40;

/** PostgreSQL as in nomad/data/postgres.nomad.hcl: what it answered it keeps. */
const durable = {
  fsync: "on",
  synchronous_commit: "on",
  shared_buffers: "256MB",
  max_wal_size: "1GB",
  wal_compression: "on",
};
/** Redis as in nomad/data/redis.nomad.hcl. */
const appendOnly = { appendonly: "yes", appendfsync: "everysec" };

export type WorkerPlan = {
  /** WORKER_GROUP. */
  group: string;
  env?: Record<string, string>;
  /** Loaded before the program: a clock that is wrong, for one. */
  preload?: string;
};

export type PlatformOptions = {
  folder: string;
  shards?: number;
  /** Started when the businesses are paired; the first of them must serve everything that pairing needs. */
  workers: readonly WorkerPlan[];
  /** Data services keep what they were given, at the price that has in production. */
  durable?: boolean;
  /** Settings of every service on top of the rig's own. */
  env?: Record<string, string>;
  /** Settings of Redis on top of the rig's own. */
  redis?: Record<string, string>;
  /** Environment of the simulator. */
  simulator?: Record<string, string>;
};

/** A process of the rig, for whoever watches it from outside. */
export type RigProcess = {
  name: string;
  /** Undefined while it is stopped. */
  pid(): number | undefined;
  /** Base URL of a service's operational endpoints. */
  opsUrl?: string;
};

/** A business of the rig, and the key that its programs send with. */
export type Customer = Business & { key: string; shard: number };

/** The whole platform as processes of this machine: what Nomad would run, without Nomad. */
export type Platform = {
  redis: Server;
  postgres: Server;
  consul: Server;
  /** As the services see the database, and as its owner does. */
  db: Database;
  owner: OwnerConnection;
  simulator: SimulatorProcess;
  shards: ShardProcess[];
  /** Address of the API, without nginx. */
  apiUrl: string;
  workers: Supervised[];
  /** Every process that was started so far. */
  processes: RigProcess[];
  /** Starts another service with the settings that all have in common; resolves when it is ready. */
  startService(file: string, name: string, env: Record<string, string>): Promise<{ url: string }>;
  /** Pairs businesses, spread over the shards. */
  enroll(businesses: readonly Business[]): Promise<Customer[]>;
  /** An endpoint of a business at `url`. */
  webhook(businessId: string, url: string, events: SubscribableEvent[], changes?: Partial<NewWebhook>): Promise<string>;
  stop(): Promise<void>;
};

export async function startPlatform({
  folder,
  shards: count = 1,
  workers: plans,
  durable: keeps = false,
  env = {},
  redis: redisSettings = {},
  simulator: simulatorEnv = {},
}: PlatformOptions): Promise<Platform> {
  const closers: (() => unknown)[] = [];
  const stop = async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  };
  try {
    // PostgreSQL refuses to run as root, and its user must be able to reach its files.
    await chmod(folder, 0o755);
    const [redis, consul] = await Promise.all([
      redisServer(folder, { ...(keeps ? appendOnly : {}), ...redisSettings }),
      consulServer(folder),
    ]);
    for (const server of [redis, consul]) {
      closers.push(() => server.stop());
      await server.start();
    }
    const postgres = await postgresServer(folder, keeps ? durable : {});
    closers.push(() => postgres.stop());
    const owner = connectAsOwner({ url: postgres.ownerUrl, applicationName: "rig" });
    closers.push(() => owner.end());
    const db = createDatabase({ url: postgres.appUrl, poolSize: 8, applicationName: "rig" });
    closers.push(() => db.close());
    const pooler = await startPooler(postgres.ownerUrl, { poolSize });
    closers.push(() => pooler.stop());
    const simulator = await SimulatorProcess.start(folder, "simulator", simulatorEnv);
    closers.push(() => simulator.stop());

    const shards: ShardProcess[] = [];
    for (let n = 1; n <= count; n++) {
      const shard = await ShardProcess.create({
        folder,
        number: n,
        simulator,
        redis: redis.address,
        consul: consul.address,
      });
      closers.push(() => shard.stop());
      shards.push(shard);
    }
    for (const shard of shards) shard.start();
    await Promise.all(shards.map((shard) => shard.ready()));

    const redisUrl = (user: RedisUser) => asRedisUser(`redis://${redis.address}`, user);
    const dataKeys = `rig:${randomBytes(32).toString("base64")}`;
    const common = {
      HOST: "127.0.0.1",
      LOG_LEVEL: "info",
      DATABASE_URL_POOLER: pooler.url,
      CONSUL_HTTP_ADDR: consul.address,
      SHARD_TOKEN: shards[0]!.token,
      DATA_KEYS: dataKeys,
      BAILEYS_NUM_SHARDS: String(count),
      WEBHOOKS_ALLOW_PRIVATE: "true",
      RATE_LIMIT_PER_MINUTE: "1000000",
      ...Object.fromEntries(shards.map(({ location }) => [`BAILEYS_SHARD_${location.shard}_URL`, location.url])),
      ...env,
    };
    const processes: RigProcess[] = [
      { name: "redis", pid: () => redis.pid() },
      { name: "consul", pid: () => consul.pid() },
      { name: "postgres", pid: () => postgres.pid() },
      { name: "pgbouncer", pid: () => pooler.pid() },
      { name: "simulator", pid: () => simulator.child.pid, opsUrl: simulator.opsUrl },
      ...shards.map((shard) => ({
        name: `shard-${shard.location.shard}`,
        pid: () => shard.pid,
        opsUrl: `http://127.0.0.1:${shard.opsPort}`,
      })),
    ];
    const service = async (file: string, name: string, own: Record<string, string>, preload: string[] = []) => {
      const [port, opsPort] = await Promise.all([freePort(), freePort()]);
      const [bun, run, program] = bunRun(file) as [string, string, string];
      const supervised = new Supervised(() =>
        startChild({
          command: [bun, run, ...preload.flatMap((script) => ["--preload", script]), program],
          env: { ...common, PORT: String(port), OPS_PORT: String(opsPort), ...own },
          logFile: join(folder, `${name}.log`),
        }),
      );
      closers.push(() => supervised.stop());
      supervised.start();
      const url = `http://127.0.0.1:${port}`;
      const opsUrl = `http://127.0.0.1:${opsPort}`;
      await until(async () => (await fetch(`${opsUrl}/ready`)).ok, { deadlineMs: 30_000, what: name });
      processes.push({ name, pid: () => supervised.pid, opsUrl });
      return { supervised, url };
    };
    // It registers itself, as one that is run by hand: nginx finds it.
    const api = await service("services/api/main.ts", "api", { REDIS_URL: redisUrl("api") });
    const workers = await Promise.all(
      plans.map(async ({ group, env: own = {}, preload }, n) => {
        const name = `worker-${n + 1}-${group}`;
        const env = { WORKER_GROUP: group, NOMAD_ALLOC_ID: "rig", REDIS_URL: redisUrl("workers"), ...own };
        const { supervised } = await service(
          "services/workers/main.ts",
          name,
          env,
          preload === undefined ? [] : [preload],
        );
        return supervised;
      }),
    );

    const secrets = createWebhookSecrets(KeyRing.parse(dataKeys));
    return {
      redis,
      postgres,
      consul,
      db,
      owner,
      simulator,
      shards,
      apiUrl: api.url,
      workers,
      processes,
      startService: async (file, name, own) => {
        const { url } = await service(file, name, own);
        return { url };
      },
      enroll: async (businesses) => {
        const customers = await Promise.all(
          businesses.map(async (business, n): Promise<Customer> => {
            const shard = (n % count) + 1;
            await createBusinessRow(db, { id: business.id, shard });
            const { key, prefix, hash } = generateKey();
            const scopes = [
              "messages:read" as const,
              "messages:write" as const,
              "broadcasts:read" as const,
              "broadcasts:write" as const,
            ];
            await insertKey(forBusiness(db, business.id), { id: uuidv7(), prefix, hash, scopes });
            return { ...business, key, shard };
          }),
        );
        await Promise.all(
          shards.map((shard) =>
            pairAll(
              shard,
              simulator,
              customers.filter((customer) => customer.shard === shard.location.shard),
            ),
          ),
        );
        const mirrored = async () => {
          const [row] = await owner<
            [{ count: number }]
          >`select count(*)::integer as count from whatsapp_sessions where paired`;
          return row.count >= customers.length;
        };
        await until(mirrored, { deadlineMs: 30_000, what: "the workers to know of every session" });
        return customers;
      },
      webhook: async (businessId, url, events, changes = {}) => {
        const id = uuidv7();
        const secret = secrets.seal(id, generateWebhookSecret());
        const row = { id, url, description: null, events, ordered: false, max_concurrency: 8, secret, ...changes };
        await insertWebhook(forBusiness(db, businessId), row, 100);
        return id;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
