import type { Redis } from "ioredis";
import { callLimitKey, parseLimit } from "../../lib/calls/limit.ts";
import type { ConsulClient } from "../../lib/consul/client.ts";
import { followValue } from "../../lib/consul/live_value.ts";
import type { LiveValue, ValueMemory } from "../../lib/consul/live_value.ts";

export { callLimitKey, parseLimit };

/** The limit of concurrent calls over all replicas. */
export type CallLimit = Pick<LiveValue<number>, "current">;

export type CallLimitOptions = {
  consul: ConsulClient;
  /** MAX_CONCURRENT_CALLS: the limit until the key exists. */
  first: number;
  signal: AbortSignal;
  onChange?: (limit: number) => void;
  /** The key is invalid or missing, or Consul does not answer; the last valid limit stays. */
  onError?: (error: unknown) => void;
  key?: string;
  memory?: ValueMemory;
};

/**
 * Follows the limit in Consul's KV; the next admission uses a change, without a restart. A lost key keeps the last
 * known limit, because the default may exceed the carrier's capacity or fall short of the customers' needs.
 */
export function followCallLimit({ key = callLimitKey, ...options }: CallLimitOptions): LiveValue<number> {
  return followValue({ ...options, key, parse: parseLimit });
}

/** Keeps the last known limit in Redis for replicas that start while the key is lost. */
export function createLimitMemory({
  redis,
  prefix = "prosaas:{calls}",
}: {
  redis: Redis;
  prefix?: string;
}): ValueMemory {
  const key = `${prefix}:last_limit`;
  return {
    read: () => redis.get(key),
    write: async (text) => {
      await redis.set(key, text);
    },
  };
}
