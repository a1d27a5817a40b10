import { Redis } from "ioredis";

export type RedisRole =
  /** Requests of ours: fail within a second or so when Redis is away, never hang. */
  | "command"
  /** BullMQ's: wait for Redis to come back (its workers demand it). */
  | "queue";

/** A connection that reconnects for ever, with a delay of at most 1 s. */
export function createRedis(url: string, role: RedisRole, onError: (error: Error) => void = () => {}): Redis {
  const redis = new Redis(url, {
    maxRetriesPerRequest: role === "queue" ? null : 1,
    enableOfflineQueue: true,
    connectTimeout: 2000,
    ...(role === "command" ? { commandTimeout: 2000 } : {}),
    retryStrategy: (attempt: number) => Math.min(1000, 50 * attempt),
    reconnectOnError: (error: Error) => error.message.startsWith("READONLY"),
  });
  // Without a listener ioredis prints each failed attempt by itself.
  redis.on("error", onError);
  return redis;
}
