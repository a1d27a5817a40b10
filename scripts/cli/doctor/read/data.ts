import { z } from "zod";
import { messageOf } from "../../../../lib/core/errors.ts";
import { sleep } from "../../../../lib/core/time.ts";
import { connectAsOwner } from "../../../../lib/db/client/owner.ts";
import type { OwnerConnection } from "../../../../lib/db/client/owner.ts";
import { createReplica } from "../../../../lib/db/index.ts";
import { createRedis } from "../../../../lib/redis/client.ts";
import { memoryFill } from "../../../../lib/redis/memory.ts";
import { surveyIndexes } from "../../../../services/indexer/survey.ts";
import type { IndexSurvey } from "../../../../services/indexer/survey.ts";
import type { Sum } from "../../operator/connection_sums.ts";
import { presented } from "../../../stack/secret_values.ts";
import { databaseUrlOf } from "../../operator/database.ts";
import { surveyConnections } from "../../operator/survey_connections.ts";
import type { PostgresNow, ReplicaNow } from "../checks/data.ts";
import type { Cluster } from "./cluster.ts";

export async function asOwner<T>({ databaseUrl }: Cluster, read: (sql: OwnerConnection) => Promise<T>): Promise<T> {
  const sql = connectAsOwner({ url: await databaseUrl(), applicationName: "prosaas-doctor" });
  try {
    return await read(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

export async function readPostgres(cluster: Cluster): Promise<PostgresNow> {
  // Secrets that cannot be read say nothing about the server.
  await cluster.databaseUrl();
  try {
    return await asOwner(cluster, async (sql) => {
      // pg_stat_activity hides from the owner which of other roles' connections are clients.
      const [row] = await sql<[{ open: number; limit: number }]>`
        select (select sum(numbackends) from pg_stat_database)::int as open,
               current_setting('max_connections')::int as limit`;
      return { open: row.open, limit: row.limit };
    });
  } catch (error) {
    return { unreachable: messageOf(error) };
  }
}

export const readIndexes = (cluster: Cluster): Promise<IndexSurvey> => asOwner(cluster, (sql) => surveyIndexes(sql));

export async function readConnections({ nomad }: Cluster): Promise<Sum[] | null> {
  const survey = await surveyConnections(nomad);
  return "sums" in survey ? survey.sums : null;
}

/** The longest lag at which services read from a replica (lib/db/client/replica.ts), and a request. */
const caughtUpWithinMs = 6_000;

/** Null without a replica: one of this cluster, or DATABASE_URL_READ. */
export async function readReplica(cluster: Cluster): Promise<ReplicaNow> {
  const service = await cluster.consul.blockingGet("/v1/catalog/service/postgres-replica", { index: 0 });
  const isOwn = Array.isArray(service.body) && service.body.length > 0;
  const given = process.env["DATABASE_URL_READ"];
  if (!isOwn && !given) return null;
  const url = given || (await databaseUrlOf(cluster.stack, "postgres-replica"));
  let why = "it is more than 5 s behind, or does not answer";
  const replica = createReplica({
    primary: await cluster.database(),
    url,
    poolSize: 1,
    applicationName: "prosaas-doctor",
    everyMs: 200,
    onChange: (change) => {
      if (!change.used) ({ why } = change);
    },
  });
  try {
    const end = performance.now() + caughtUpWithinMs;
    while (replica.lagMs() === null && performance.now() < end) await sleep(50);
    return { lagMs: replica.lagMs(), why };
  } finally {
    await replica.close();
  }
}

const secrets = z.object({ Items: z.object({ redis_operator_password: z.string() }) });
const instances = z.array(z.object({ ServiceAddress: z.string(), ServicePort: z.int() }));

/** REDIS_URL if set, else the service of this cluster, as the operator. */
async function redisUrl({ nomad, consul }: Cluster): Promise<string> {
  if (process.env["REDIS_URL"]) return process.env["REDIS_URL"];
  const { body } = await consul.blockingGet("/v1/catalog/service/redis", { index: 0 });
  const [instance] = instances.parse(body);
  if (instance === undefined)
    throw new Error("Consul lists no service redis; set REDIS_URL to examine a managed Redis");
  const { Items } = secrets.parse(await nomad("GET", "/v1/var/prosaas/secrets"));
  const login = `operator:${encodeURIComponent(presented(Items.redis_operator_password))}`;
  return `redis://${login}@${instance.ServiceAddress}:${instance.ServicePort}/0`;
}

export async function readRedis(cluster: Cluster): Promise<{ fill: number } | { unreachable: string }> {
  const redis = createRedis(await redisUrl(cluster), "command");
  try {
    return { fill: await memoryFill(redis) };
  } catch (error) {
    return { unreachable: messageOf(error) };
  } finally {
    redis.disconnect();
  }
}
