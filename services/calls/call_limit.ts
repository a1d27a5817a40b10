import type { Redis } from "ioredis";
import { callLimitKey, parseLimit } from "../../lib/calls/limit.ts";
import type { ConsulClient } from "../../lib/consul/client.ts";
import { followValue } from "../../lib/consul/live_value.ts";
import type { LiveValue, ValueMemory } from "../../lib/consul/live_value.ts";

export { callLimitKey, parseLimit };

/** Calls that may be in progress at once, over all replicas. */
export type CallLimit = Pick<LiveValue<number>, "current">;

export type CallLimitOptions = {
  consul: ConsulClient;
  /** MAX_CONCURRENT_CALLS: counts until the key exists. */
  first: number;
  signal: AbortSignal;
  onChange?: (limit: number) => void;
  /** The key holds no number or is gone, or Consul does not answer; the last good limit stays. */
  onError?: (error: unknown) => void;
  key?: string;
  memory?: ValueMemory;
};

/**
 * Follows the limit in Consul's KV; a change counts from the next admission on, without a restart. A lost key keeps the
 * last known limit: the default may be far more than the carrier, or far less than the customers, have agreed to.
 */
export function followCallLimit({ key = callLimitKey, ...options }: CallLimitOptions): LiveValue<number> {
  return followValue({ ...options, key, parse: parseLimit });
}

/** Keeps the last known limit in Redis, where a replica finds it that starts while the key is lost. */
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
