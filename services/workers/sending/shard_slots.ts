import { definitionOf } from "../../../lib/queues/index.ts";
import type { QueueName } from "../../../lib/queues/index.ts";
import { Slots } from "../../../lib/runtime/slots.ts";

export type ShardSlots = {
  /** Runs `work` if the shard has a free slot; returns undefined when its share is exhausted. */
  use<T>(shard: number, work: () => Promise<T>): Promise<T | undefined>;
};

/**
 * Keeps a hanging shard from taking all slots of a queue: each shard gets three quarters of the slots that the queue
 * does not reserve for other jobs. Counted per process, as the queue's concurrency is.
 */
export function createShardSlots(queue: QueueName): ShardSlots {
  const { concurrency, shares = {} } = definitionOf(queue);
  const reserved = Object.values(shares).reduce((sum, share) => sum + share, 0);
  const slots = new Slots({ total: concurrency, share: Math.floor(((concurrency - reserved) * 3) / 4) });
  return {
    use: async (shard, work) => {
      if (slots.take(String(shard)) !== null) return undefined;
      try {
        return await work();
      } finally {
        slots.giveBack(String(shard));
      }
    },
  };
}
