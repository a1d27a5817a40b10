import { Redis } from "ioredis";
import type { RedisOptions } from "ioredis";

export type RedisRole =
  /** Requests of ours: fail within a second or so when Redis is away, never hang. */
  | "command"
  /** An answer that somebody waits for on the telephone: fail at once when Redis is away, within half a second when it hangs. */
  | "gate"
  /** BullMQ's: wait for Redis to come back (its workers demand it). */
  | "queue";

const requestOptions: Record<RedisRole, RedisOptions> = {
  command: { maxRetriesPerRequest: 1, enableOfflineQueue: true, commandTimeout: 2000 },
  gate: { maxRetriesPerRequest: 0, enableOfflineQueue: false, commandTimeout: 500 },
  queue: { maxRetriesPerRequest: null, enableOfflineQueue: true },
};

/** A connection that reconnects for ever, with a delay of at most 1 s. */
export function createRedis(url: string, role: RedisRole, onError: (error: Error) => void = () => {}): Redis {
  const redis = new Redis(url, {
    ...requestOptions[role],
    connectTimeout: 2000,
    retryStrategy: (attempt: number) => Math.min(1000, 50 * attempt),
    reconnectOnError: (error: Error) => error.message.startsWith("READONLY"),
  });
  // Without a listener ioredis prints each failed attempt by itself.
  redis.on("error", onError);
  return redis;
}
