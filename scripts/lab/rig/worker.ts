import { join } from "node:path";
import { asRedisUser } from "../../../lib/testing/redis_users.ts";
import { bunRun, startChild } from "./child.ts";
import { Supervised } from "./supervised.ts";

export type WorkerProcessOptions = {
  folder: string;
  redis: string;
  consul: string;
  databaseUrl: string;
  shardToken: string;
};

/** A worker of all queues, under a supervisor. */
export function workerProcess({ folder, redis, consul, databaseUrl, shardToken }: WorkerProcessOptions): Supervised {
  return new Supervised(() =>
    startChild({
      command: bunRun("services/workers/main.ts"),
      logFile: join(folder, "worker.log"),
      env: {
        HOST: "127.0.0.1",
        LOG_LEVEL: "info",
        WORKER_GROUP: "all",
        REDIS_URL: asRedisUser(`redis://${redis}`, "workers"),
        CONSUL_HTTP_ADDR: consul,
        DATABASE_URL_POOLER: databaseUrl,
        SHARD_TOKEN: shardToken,
        DATA_KEYS: `rig:${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64")}`,
        NOMAD_ALLOC_ID: "rig",
      },
    }),
  );
}

/** What Nomad does for a shard: it is in Consul under its number, whatever becomes of the process. */
export async function registerShard(consul: string, port: number): Promise<void> {
  const answer = await fetch(`http://${consul}/v1/agent/service/register`, {
    method: "PUT",
    body: JSON.stringify({ Name: "whatsapp-shard", Address: "127.0.0.1", Port: port, Meta: { shard: "1" } }),
  });
  if (!answer.ok) throw new Error(`Consul did not register the shard: ${await answer.text()}`);
}
