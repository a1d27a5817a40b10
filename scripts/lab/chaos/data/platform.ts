import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { applyMigrations } from "../../../../lib/db/migrations/migrate.ts";
import { generateKey } from "../../../../lib/db/keys/api_key.ts";
import { createDatabase, forBusiness, insertKey } from "../../../../lib/db/index.ts";
import { connectAsOwner } from "../../../../lib/db/client/owner.ts";
import { ensureMessagePartitions } from "../../../../lib/db/messages/partitions.ts";
import { uuidv7 } from "../../../../lib/core/ids.ts";
import { createBusiness } from "../../../../lib/testing/business.ts";
import { startPooler } from "../../../../lib/testing/pgbouncer.ts";
import type { Pooler } from "../../../../lib/testing/pgbouncer.ts";
import { createTestReplica } from "../../../../lib/testing/replica.ts";
import type { TestReplica } from "../../../../lib/testing/replica.ts";
import { asRedisUser } from "../../../../lib/testing/redis_users.ts";
import { until } from "../../../../lib/testing/until.ts";
import { buildIndexes } from "../../../../services/indexer/indexer.ts";
import { startEdge } from "../../rig/edge.ts";
import { bunRun, listeningPorts, startChild } from "../../rig/child.ts";
import { consulServer, redisServer } from "../../rig/servers.ts";
import { initPostgres, isReady, postgresCommand } from "../../../testing/postgres.ts";
import { freePort } from "../../../../lib/testing/free_port.ts";

export type Tenant = { businessId: string; key: string };

/** The API with all that its data goes through, each part to be broken by itself. */
export type Platform = {
  /** Where callers reach it: nginx. */
  url: string;
  tenants: Tenant[];
  pooler: Pooler;
  replica: TestReplica;
  primary: { stop(signal: NodeJS.Signals): Promise<void>; start(): Promise<void> };
  /** Whether every replica of the API asks the database's replica. */
  replicaIsUsed(): Promise<boolean>;
  /** Reads of history so far, over all replicas of the API, that the database's replica was asked for. */
  replicaReads(): Promise<number>;
  /** Ids and texts of a tenant's messages as the primary has them. */
  stored(businessId: string): Promise<{ id: string; text: string }[]>;
  stop(): Promise<void>;
};

const apis = 2;

export async function startPlatform(folder: string, tenantCount: number): Promise<Platform> {
  const closers: (() => unknown)[] = [];
  const stop = async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  };
  try {
    await chmod(folder, 0o755);
    const servers = await Promise.all([redisServer(folder), consulServer(folder)]);
    for (const server of servers) {
      await server.start();
      closers.push(() => server.stop());
    }
    const [redis, consul] = servers;
    const { primary, ownerUrl } = await startPrimary(join(folder, "primary"));
    closers.push(() => primary.stop("SIGINT"));
    await prepare(ownerUrl);
    const replica = await createTestReplica(ownerUrl);
    closers.push(() => replica.remove());
    const pooler = await startPooler(ownerUrl, { poolSize: 20 });
    closers.push(() => pooler.stop());
    const tenants = await makeTenants(pooler.url, tenantCount);

    const readUrl = new URL(replica.url);
    readUrl.searchParams.set("role", "prosaas_app");
    const env = {
      PORT: "0",
      LOG_LEVEL: "warn",
      DATABASE_URL_POOLER: pooler.url,
      DATABASE_URL_READ: readUrl.toString(),
      REDIS_URL: asRedisUser(`redis://${redis.address}`, "api"),
      CONSUL_HTTP_ADDR: consul.address,
      SHARD_TOKEN: "a token of the shards",
      DATA_KEYS: `chaos:${randomBytes(32).toString("base64")}`,
      RATE_LIMIT_PER_MINUTE: "1000000",
    };
    const opsUrls: string[] = [];
    for (let n = 1; n <= apis; n++) {
      const child = startChild({
        command: bunRun("services/api/main.ts"),
        env: { ...env, LOG_LEVEL: "info" },
        logFile: join(folder, `api-${n}.log`),
      });
      closers.push(async () => {
        child.kill("SIGTERM");
        await child.exited;
      });
      opsUrls.push(`http://127.0.0.1:${(await listeningPorts(child)).opsPort}`);
    }
    const edge = await startEdge(join(folder, "edge"), consul.address, async (port) => {
      const answer = await fetch(`https://127.0.0.1:${port}/v1/openapi.json`, { tls: { rejectUnauthorized: false } });
      return answer.ok;
    });
    closers.push(() => edge.stop());

    const metric = async (url: string, form: RegExp) =>
      Number(form.exec(await (await fetch(`${url}/metrics`)).text())?.[1] ?? Number.NaN);
    return {
      url: `https://127.0.0.1:${edge.httpsPort}`,
      tenants,
      pooler,
      replica,
      primary,
      replicaIsUsed: async () => {
        const lags = await Promise.all(
          opsUrls.map((url) => metric(url, /^prosaas_database_replica_lag_seconds\{.*\} (.+)$/m)),
        );
        return lags.every((lag) => lag < 2);
      },
      replicaReads: async () => {
        const form = /^prosaas_database_history_reads_total\{.*server="replica".*\} (\d+)$/m;
        const reads = await Promise.all(opsUrls.map((url) => metric(url, form)));
        return reads.reduce((sum, count) => sum + (Number.isNaN(count) ? 0 : count), 0);
      },
      stored: async (businessId) => {
        const owner = connectAsOwner({ url: ownerUrl, applicationName: "chaos" });
        try {
          return [
            ...(await owner<
              { id: string; text: string }[]
            >`select id, text from messages where business_id = ${businessId} order by id`),
          ];
        } finally {
          await owner.end();
        }
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A server that keeps what it committed, as in production, and comes back under the same address. */
async function startPrimary(folder: string): Promise<{ primary: Platform["primary"]; ownerUrl: string }> {
  await mkdir(folder);
  const [files, port] = await Promise.all([initPostgres(folder), freePort()]);
  const launch = () =>
    startChild({ command: postgresCommand(files, port), logFile: join(folder, "..", "postgres.log") });
  let child = launch();
  const answers = () => until(() => isReady(files, port), { deadlineMs: 30_000, what: "the primary", everyMs: 20 });
  await answers();
  return {
    ownerUrl: `postgres://test:${files.password}@127.0.0.1:${port}/postgres`,
    primary: {
      stop: async (signal) => {
        child.kill(signal);
        await child.exited;
      },
      start: async () => {
        child = launch();
        await answers();
      },
    },
  };
}

async function prepare(ownerUrl: string): Promise<void> {
  const owner = connectAsOwner({ url: ownerUrl, applicationName: "chaos" });
  try {
    await applyMigrations(owner);
    await ensureMessagePartitions(owner, { ahead: 0 });
  } finally {
    await owner.end();
  }
  await buildIndexes({ url: ownerUrl });
}

/** Paired businesses, each with a key of its own. */
async function makeTenants(url: string, count: number): Promise<Tenant[]> {
  const db = createDatabase({ url, poolSize: 2, applicationName: "chaos" });
  try {
    const tenants: Tenant[] = [];
    for (let n = 0; n < count; n++) {
      const { businessId } = await createBusiness(db);
      const { key, prefix, hash } = generateKey();
      await insertKey(forBusiness(db, businessId), {
        id: uuidv7(),
        prefix,
        hash,
        scopes: ["messages:read", "messages:write"],
      });
      tenants.push({ businessId, key });
    }
    return tenants;
  } finally {
    await db.close();
  }
}
