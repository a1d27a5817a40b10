import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { KeyRing } from "../../../../lib/core/key_ring.ts";
import { createProducer } from "../../../../lib/queues/index.ts";
import type { Producer } from "../../../../lib/queues/index.ts";
import { createRedis } from "../../../../lib/redis/client.ts";
import { createFolderStore, createSealedStore } from "../../../../lib/storage/index.ts";
import type { SealedStore } from "../../../../lib/storage/index.ts";
import { makeCertificate } from "../../../../lib/testing/certificate.ts";
import { freePort } from "../../../../lib/testing/free_port.ts";
import { startTogether } from "../../rig/cleanup.ts";
import { startPlatform } from "../../rig/platform.ts";
import type { Platform } from "../../rig/platform.ts";
import type { ShardProcess } from "../../rig/shard.ts";
import { mountSmallDisk } from "../../rig/small_disk.ts";
import type { SmallDisk } from "../../rig/small_disk.ts";
import type { Supervised } from "../../rig/supervised.ts";

/** The whole path of a message: Postgres, a worker, a shard on a small disk, and the simulator. */
export type Stage = Platform & {
  shard: ShardProcess;
  worker: Supervised;
  disk: SmallDisk;
  producer: Producer;
  /** The files of the businesses, as the worker has them. */
  store: SealedStore;
};

/** Several times the ledger, journal and logins of a run. */
const diskMb = 512;

export const setStage = (folder: string): Promise<Stage> =>
  startTogether(async (onStop) => {
    const disk = mountSmallDisk(join(folder, "volume"), diskMb);
    onStop(() => disk.unmount());
    const tls = makeCertificate(folder);
    const mediaPort = await freePort();
    const storeFolder = join(folder, "store");
    const dataKeys = `rig:${randomBytes(32).toString("base64")}`;
    const platform = await startPlatform({
      folder,
      apis: 0,
      workers: [{ group: "all" }],
      discovery: "consul",
      simulator: {
        SIMULATOR_MEDIA_CERT: tls.certFile,
        SIMULATOR_MEDIA_KEY: tls.keyFile,
        SIMULATOR_MEDIA_PORT: String(mediaPort),
        SIMULATOR_MEDIA_HOST: "localhost",
      },
      env: {
        DATA_KEYS: dataKeys,
        STORAGE_URL: `file://${storeFolder}`,
        WA_MEDIA_HOST: `localhost:${mediaPort}`,
        NODE_EXTRA_CA_CERTS: tls.certFile,
      },
      shard: { volume: disk.path, bunArgs: ["--preload", join(import.meta.dir, "../../rig/kill_mid_write.ts")] },
    });
    onStop(() => platform.stop());
    const store = createSealedStore(createFolderStore(storeFolder), KeyRing.parse(dataKeys));
    const redis = createRedis(`redis://${platform.redis.address}`, "command");
    const producer = createProducer(redis);
    onStop(async () => {
      await producer.close();
      redis.disconnect();
    });
    return { ...platform, shard: platform.shards[0]!, worker: platform.workers[0]!, disk, producer, store };
  });
