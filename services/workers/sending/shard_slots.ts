import { definitionOf } from "../../../lib/queues/index.ts";
import type { QueueName } from "../../../lib/queues/index.ts";

export type ShardPlaces = {
  /** Waits for a shard. Undefined: as many wait for it as may. */
  use<T>(shard: number, work: () => Promise<T>): Promise<T | undefined>;
};

/**
 * Keeps a shard that hangs from taking all places of a queue: of those that the queue grants to nobody else, one shard gets
 * three quarters. Of one process, as the places are.
 */
export function createShardPlaces(queue: QueueName): ShardPlaces {
  const { concurrency, shares = {} } = definitionOf(queue);
  const granted = Object.values(shares).reduce((sum, share) => sum + share, 0);
  const most = Math.floor(((concurrency - granted) * 3) / 4);
  const waiting = new Map<number, number>();
  return {
    use: async (shard, work) => {
      const taken = waiting.get(shard) ?? 0;
      if (taken >= most) return undefined;
      waiting.set(shard, taken + 1);
      try {
        return await work();
      } finally {
        waiting.set(shard, waiting.get(shard)! - 1);
      }
    },
  };
}
