import { startTogether } from "./cleanup.ts";
import { consulServer, redisServer } from "./servers.ts";
import type { Server } from "./servers.ts";
import { ShardProcess } from "./shard.ts";
import type { ShardProcessOptions } from "./shard.ts";
import { SimulatorProcess } from "./simulator.ts";

export type ShardRigOptions = {
  folder: string;
  /** Number of shards. */
  shards?: number;
  shard?: Pick<ShardProcessOptions, "env" | "volume" | "bunArgs">;
  /** Settings of Redis that override the rig's own. */
  redis?: Record<string, string>;
  /** Environment of the simulator. */
  simulator?: Record<string, string>;
};

/** Shards with everything they need in production; the simulator stands in for WhatsApp. */
export type ShardRig = {
  redis: Server;
  consul: Server;
  simulator: SimulatorProcess;
  /** Created, not started. */
  shards: ShardProcess[];
  stop(): Promise<void>;
};

export function startShardRig({
  folder,
  shards: count = 1,
  shard: options = {},
  redis: redisSettings = {},
  simulator: simulatorEnv = {},
}: ShardRigOptions): Promise<ShardRig> {
  return startTogether(async (onStop) => {
    const [redis, consul] = await Promise.all([redisServer(folder, redisSettings), consulServer(folder)]);
    for (const server of [redis, consul]) {
      onStop(() => server.stop());
      await server.start();
    }
    const simulator = await SimulatorProcess.start(folder, "simulator", simulatorEnv);
    onStop(() => simulator.stop());
    const shards: ShardProcess[] = [];
    for (let number = 1; number <= count; number++) {
      const shard = await ShardProcess.create({
        folder,
        number,
        simulator,
        redis: redis.address,
        consul: consul.address,
        ...options,
      });
      onStop(() => shard.stop());
      shards.push(shard);
    }
    return { redis, consul, simulator, shards };
  });
}
