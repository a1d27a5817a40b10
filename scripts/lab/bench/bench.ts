import { randomBytes } from "node:crypto";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { uuidv7, whatsappMessageId } from "../../../lib/core/ids.ts";
import { generateKey } from "../../../lib/db/keys/api_key.ts";
import { createDatabase, forBusiness, insertKey, submitMessage } from "../../../lib/db/index.ts";
import { createBusiness } from "../../../lib/testing/business.ts";
import { createMigratedDatabase } from "../../../lib/testing/database.ts";
import { startPooler } from "../../../lib/testing/pgbouncer.ts";
import { buildIndexes } from "../../../services/indexer/indexer.ts";
import { asRedisUser } from "../../../lib/testing/redis_users.ts";
import { startServers } from "../../testing/servers.ts";
import { text } from "./direct.ts";
import { startEdge } from "../rig/edge.ts";
import { load } from "../rig/https_load.ts";
import type { LoadOptions, LoadResult } from "../rig/https_load.ts";

const root = join(import.meta.dir, "../../..");

/** PostgreSQL as in nomad/data/postgres.nomad.hcl: what it answered it keeps. */
const durable = {
  fsync: "on",
  synchronous_commit: "on",
  shared_buffers: "512MB",
  max_wal_size: "1GB",
  wal_compression: "on",
  // How long the building of indexes takes is not what is measured.
  maintenance_work_mem: "256MB",
  // Counts the queries of a request; a SET that travels with one is not one.
  shared_preload_libraries: "pg_stat_statements",
  "pg_stat_statements.track_utility": "off",
};
/** As default_pool_size in nomad/data/pgbouncer.nomad.hcl. */
const poolSize = 40;

export type BenchBusiness = { id: string; key: string; messageId: string };
export type Bench = Awaited<ReturnType<typeof createBench>>;

/** All load comes from one address: what the edge grants an address is not what is measured. */
const oneAddress = { EDGE_REQUESTS_PER_SECOND: "1000000", EDGE_REQUEST_BURST: "1000000" };

/** The whole way of a request: nginx from Consul, an API process, pgbouncer, PostgreSQL and Redis. */
export async function createBench(folder: string) {
  const closers: (() => unknown)[] = [];
  const stop = async () => {
    for (const close of closers.toReversed()) await close();
  };
  try {
    await chmod(folder, 0o755);
    const servers = await startServers({ postgres: durable });
    closers.push(() => servers.stop());
    Object.assign(process.env, servers.env);
    const database = await createMigratedDatabase();
    closers.push(() => database.close());
    await buildIndexes({ url: database.ownerUrl });
    const pooler = await startPooler(database.ownerUrl, { poolSize });
    closers.push(() => pooler.stop());

    const businesses = await makeBusinesses(pooler.url, 20);
    const consulAddr = servers.env.TEST_CONSUL_ADDR;
    const api = start("services/api/main.ts", folder, {
      PORT: "0",
      LOG_LEVEL: "info",
      DATABASE_URL_POOLER: pooler.url,
      REDIS_URL: asRedisUser(servers.env.TEST_REDIS_URL, "api"),
      CONSUL_HTTP_ADDR: consulAddr,
      SHARD_TOKEN: "a token of the shards",
      // What a key may ask in a minute is not what is measured.
      RATE_LIMIT_PER_MINUTE: "10000000",
      DATA_KEYS: `bench:${randomBytes(32).toString("base64")}`,
    });
    closers.push(api.stop);
    const bare = start("scripts/lab/bench/bare_hono.ts", folder, {});
    closers.push(bare.stop);
    await register(consulAddr, "prosaas-calls", await bare.port());

    const edge = await startEdge(
      join(folder, "edge"),
      consulAddr,
      async (port) => {
        const ask = (path: string) => fetch(`https://127.0.0.1:${port}${path}`, { tls: { rejectUnauthorized: false } });
        return (await ask("/v1/openapi.json")).ok && (await ask("/webhooks/twilio/bare")).ok;
      },
      { env: oneAddress },
    );
    closers.push(() => edge.stop());

    await database.owner`create extension pg_stat_statements`;
    return {
      businesses,
      text,
      /** DATABASE_URL: the server itself, as its superuser. */
      databaseUrl: database.ownerUrl,
      database,
      edge: {
        load: (options: Omit<LoadOptions, "port">): Promise<LoadResult> => load({ port: edge.httpsPort, ...options }),
      },
      /** Queries that the services' role has made so far. */
      queries: async (): Promise<number> => {
        const [row] = await database.owner<[{ calls: number }]>`
          select coalesce(sum(calls), 0)::integer as calls from pg_stat_statements where userid = 'prosaas_app'::regrole`;
        return row.calls;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Paired businesses, each with a key of its own and one message. */
async function makeBusinesses(url: string, count: number): Promise<BenchBusiness[]> {
  const db = createDatabase({ url, poolSize: 4, applicationName: "bench" });
  try {
    return await Promise.all(
      Array.from({ length: count }, async () => {
        const { businessId } = await createBusiness(db);
        const scope = forBusiness(db, businessId);
        const { key, prefix, hash } = generateKey();
        await insertKey(scope, { id: uuidv7(), prefix, hash, scopes: ["messages:read", "messages:write"] });
        const messageId = uuidv7();
        await submitMessage(scope, {
          id: messageId,
          chat: "1@s.whatsapp.net",
          type: "text",
          text,
          wa_message_id: whatsappMessageId(messageId),
        });
        return { id: businessId, key, messageId };
      }),
    );
  } finally {
    await db.close();
  }
}

/** Starts a service of ours as a process of its own; its log goes into `folder`. */
function start(script: string, folder: string, env: Record<string, string>) {
  const log = Bun.file(join(folder, `${script.replaceAll("/", "-")}.log`));
  const child = Bun.spawn([process.execPath, "run", script], {
    cwd: root,
    env: { PATH: process.env["PATH"]!, ...env },
    stdin: "ignore",
    stdout: log,
    stderr: log,
  });
  return {
    port: async (): Promise<number> => {
      for (let attempt = 0; attempt < 500; attempt++) {
        const port = /"port":(\d+)/.exec(await log.text())?.[1];
        if (port) return Number(port);
        await Bun.sleep(20);
      }
      throw new Error(`${script} did not listen:\n${await log.text()}`);
    },
    stop: async () => {
      child.kill("SIGTERM");
      await child.exited;
    },
  };
}

async function register(consulAddr: string, name: string, port: number): Promise<void> {
  const answer = await fetch(`http://${consulAddr}/v1/agent/service/register`, {
    method: "PUT",
    body: JSON.stringify({ Name: name, Address: "127.0.0.1", Port: port }),
  });
  if (!answer.ok) throw new Error(`Consul did not register ${name}: ${await answer.text()}`);
}
