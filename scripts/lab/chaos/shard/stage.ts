import { join } from "node:path";
import { createProducer } from "../../../../lib/queues/index.ts";
import type { Producer } from "../../../../lib/queues/index.ts";
import { createRedis } from "../../../../lib/redis/client.ts";
import { startTogether } from "../../rig/cleanup.ts";
import { startPlatform } from "../../rig/platform.ts";
import type { Platform } from "../../rig/platform.ts";
import type { ShardProcess } from "../../rig/shard.ts";
import { mountSmallDisk } from "../../rig/small_disk.ts";
import type { SmallDisk } from "../../rig/small_disk.ts";
import type { Supervised } from "../../rig/supervised.ts";

/** The whole path of a message: Postgres, a worker, a shard on a small disk, and the simulator. */
export type Stage = Platform & { shard: ShardProcess; worker: Supervised; disk: SmallDisk; producer: Producer };

/** Several times the ledger, journal and logins of a run. */
const diskMb = 512;

export const setStage = (folder: string): Promise<Stage> =>
  startTogether(async (onStop) => {
    const disk = mountSmallDisk(join(folder, "volume"), diskMb);
    onStop(() => disk.unmount());
    const platform = await startPlatform({
      folder,
      apis: 0,
      workers: [{ group: "all" }],
      discovery: "consul",
      shard: { volume: disk.path, bunArgs: ["--preload", join(import.meta.dir, "../../rig/kill_mid_write.ts")] },
    });
    onStop(() => platform.stop());
    const redis = createRedis(`redis://${platform.redis.address}`, "command");
    const producer = createProducer(redis);
    onStop(async () => {
      await producer.close();
      redis.disconnect();
    });
    return { ...platform, shard: platform.shards[0]!, worker: platform.workers[0]!, disk, producer };
  });
