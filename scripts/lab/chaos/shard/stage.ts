import { join } from "node:path";
import { createDatabase } from "../../../../lib/db/index.ts";
import type { Database } from "../../../../lib/db/index.ts";
import { createProducer } from "../../../../lib/queues/index.ts";
import type { Producer } from "../../../../lib/queues/index.ts";
import { createRedis } from "../../../../lib/redis/client.ts";
import { createLifecycle } from "../../../../lib/runtime/lifecycle.ts";
import { postgresServer } from "../../rig/postgres.ts";
import type { PostgresServer } from "../../rig/postgres.ts";
import { startRig } from "../../rig/rig.ts";
import type { Rig } from "../../rig/rig.ts";
import type { SmallDisk } from "../../rig/small_disk.ts";
import { mountSmallDisk } from "../../rig/small_disk.ts";
import type { Supervised } from "../../rig/supervised.ts";
import { registerShard, workerProcess } from "../../rig/worker.ts";

/** The whole way of a message: Postgres, a worker, a shard on a disk that can be full, and WhatsApp's side. */
export type Stage = Omit<Rig, "stop"> & {
  postgres: PostgresServer;
  worker: Supervised;
  disk: SmallDisk;
  db: Database;
  producer: Producer;
  stop(): Promise<void>;
};

/** Ledger, journal and logins of a run, several times over. */
const diskMb = 512;

export async function setStage(folder: string): Promise<Stage> {
  const life = createLifecycle("chaos");
  const stop = async () => void (await life.stop());
  try {
    const disk = mountSmallDisk(join(folder, "volume"), diskMb);
    life.onStop("disk", () => disk.unmount());
    const postgres = await postgresServer(folder);
    life.onStop("postgres", () => postgres.stop());
    const { stop: stopRig, ...rig } = await startRig(folder, {
      volume: disk.path,
      bunArgs: ["--preload", join(import.meta.dir, "../../rig/dies_in_a_set.ts")],
    });
    life.onStop("rig", stopRig);
    await registerShard(rig.consul.address, rig.shard.port);

    const db = createDatabase({ url: postgres.appUrl, poolSize: 8, applicationName: "chaos" });
    life.onStop("database", () => db.close());
    const redis = createRedis(`redis://${rig.redis.address}`, "command");
    const producer = createProducer(redis);
    life.onStop("redis", async () => {
      await producer.close();
      redis.disconnect();
    });
    const worker = workerProcess({
      folder,
      redis: rig.redis.address,
      consul: rig.consul.address,
      databaseUrl: postgres.appUrl,
      shardToken: rig.shard.token,
    });
    life.onStop("worker", () => worker.stop());
    rig.shard.start();
    await rig.shard.ready();
    worker.start();
    return { ...rig, postgres, worker, disk, db, producer, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
