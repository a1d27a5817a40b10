import { Redis } from "ioredis";
import type { RedisOptions } from "ioredis";

export type RedisRole =
  /** Our own commands: fail within about a second if Redis is unavailable, and never hang. */
  | "command"
  /** Commands on the latency path of a call: fail at once if Redis is unavailable, within 500 ms if it hangs. */
  | "gate"
  /** BullMQ's connections: wait until Redis is back, as its workers require. */
  | "queue";

/*
 * socketTimeout ends a connection that owes an answer: a node that loses its power closes none, and TCP gives up after
 * a quarter of an hour. For queues it is above the 10 s for which BullMQ's commands block.
 */
const requestOptions: Record<RedisRole, RedisOptions> = {
  command: { maxRetriesPerRequest: 1, enableOfflineQueue: true, commandTimeout: 2000, socketTimeout: 5000 },
  gate: { maxRetriesPerRequest: 0, enableOfflineQueue: false, commandTimeout: 500, socketTimeout: 2000 },
  queue: { maxRetriesPerRequest: null, enableOfflineQueue: true, socketTimeout: 30_000 },
};

/**
 * Opens a connection that reconnects without limit, at most 1 s apart. `commandTimeout` replaces the timeout of its
 * role, in ms.
 */
export function createRedis(
  url: string,
  role: RedisRole,
  onError: (error: Error) => void = () => {},
  overrides: Pick<RedisOptions, "commandTimeout"> = {},
): Redis {
  const redis = new Redis(url, {
    ...requestOptions[role],
    ...overrides,
    connectTimeout: 2000,
    retryStrategy: (attempt: number) => Math.min(1000, 50 * attempt),
    reconnectOnError: (error: Error) => error.message.startsWith("READONLY"),
  });
  // Without a listener ioredis prints every failed attempt.
  redis.on("error", onError);
  return redis;
}
