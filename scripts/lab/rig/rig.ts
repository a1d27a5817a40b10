import type { Server } from "./servers.ts";
import { consulServer, redisServer } from "./servers.ts";
import { ShardProcess } from "./shard.ts";
import type { ShardProcessOptions } from "./shard.ts";
import { SimulatorProcess } from "./simulator.ts";

/** A shard with all that is around it in production, WhatsApp's side included. */
export type Rig = {
  redis: Server;
  consul: Server;
  simulator: SimulatorProcess;
  /** Created, not started. */
  shard: ShardProcess;
  /** Ends everything, the last that was started first. */
  stop(): Promise<void>;
};

export async function startRig(
  folder: string,
  options: Pick<ShardProcessOptions, "env" | "volume" | "bunArgs"> = {},
): Promise<Rig> {
  const closers: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const close of closers.splice(0)) await close();
  };
  try {
    const [redis, consul] = await Promise.all([redisServer(folder), consulServer(folder)]);
    for (const server of [redis, consul]) {
      closers.unshift(() => server.stop());
      await server.start();
    }
    const simulator = await SimulatorProcess.start(folder);
    closers.unshift(() => simulator.stop());
    const shard = await ShardProcess.create({
      folder,
      simulator,
      redis: redis.address,
      consul: consul.address,
      ...options,
    });
    closers.unshift(() => shard.stop());
    return { redis, consul, simulator, shard, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
