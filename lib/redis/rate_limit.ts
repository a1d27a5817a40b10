import type { Redis } from "ioredis";
import { createWindowLimiter } from "../core/window_limiter.ts";
import { createScript } from "./script.ts";
import type { Script } from "./script.ts";
import takeRequests from "./take_requests.lua" with { type: "text" };

export type RateLimit = {
  /** Requests of one caller in a window. */
  limit: number;
  /** Requests of all callers of one group in a window. */
  groupLimit?: number;
  windowMs: number;
};

export type Permit = {
  granted: boolean;
  /** Requests left in the window. */
  remaining: number;
  /** Milliseconds until the whole limit is free again, if no more requests come. */
  resetMs: number;
  /** The limit with the fewest requests left. */
  limitedBy: "caller" | "group";
  /** The error, if Redis failed and this process counted the request. */
  fallback?: unknown;
};

export type RateLimiter = RateLimit & {
  /** Counts one request of a caller. Never throws: while Redis is unavailable, this process counts alone. */
  take(caller: string, group?: string): Promise<Permit>;
};

export type RateLimiterOptions = RateLimit & {
  redis: Redis;
  prefix?: string;
  script?: Script;
};

type Waiting = { resolve: (permit: Permit) => void };
type Batch = { group: string | undefined; waiting: Waiting[] };

/** Builds the script. A test uses `edit` to replace Redis's TIME by its own clock. */
export function rateLimitScript(edit: (lua: string) => string = (lua) => lua): Script {
  return createScript(edit(takeRequests));
}

/**
 * Rate limits callers and their groups over all replicas, with one round trip to Redis for both.
 * Requests of a caller that arrive while a script is in flight are counted together, so that a busy caller costs
 * Redis at most one script at a time per replica. While Redis is unavailable, each replica applies the limits alone.
 */
export function createRateLimiter({
  redis,
  limit,
  groupLimit = Number.MAX_SAFE_INTEGER,
  windowMs,
  prefix = "prosaas:rate",
  script = rateLimitScript(),
}: RateLimiterOptions): RateLimiter {
  const batches = new Map<string, Batch>();
  const local = createWindowLimiter({ windowMs });

  const takeLocally = (caller: string, group: string | undefined): Permit => {
    const shared = group === undefined ? undefined : local.peek(`group:${group}`, groupLimit);
    if (shared?.granted === false) return { ...shared, limitedBy: "group" };
    const own = local.take(`caller:${caller}`, limit);
    if (own.granted && group !== undefined) local.take(`group:${group}`, groupLimit);
    return { ...own, limitedBy: "caller" };
  };

  const ask = async (caller: string, batch: Batch): Promise<void> => {
    const { group } = batch;
    while (batch.waiting.length > 0) {
      const waiting = batch.waiting;
      batch.waiting = [];
      try {
        const keys =
          group === undefined ? [`${prefix}:${caller}`] : [`${prefix}:${caller}`, `${prefix}:group:${group}`];
        const limits = group === undefined ? [limit] : [limit, groupLimit];
        const [granted, remaining, resetMs, fullest] = (await script(redis, keys, [
          waiting.length,
          windowMs,
          ...limits,
        ])) as [number, number, number, number];
        const limitedBy = fullest === 2 ? "group" : "caller";
        waiting.forEach(({ resolve }, n) => resolve({ granted: n < granted, remaining, resetMs, limitedBy }));
      } catch (error) {
        for (const { resolve } of waiting) resolve({ ...takeLocally(caller, group), fallback: error });
      }
    }
    batches.delete(caller);
  };

  return {
    limit,
    groupLimit,
    windowMs,
    take: (caller, group) => {
      const { promise, resolve } = Promise.withResolvers<Permit>();
      const batch = batches.get(caller);
      if (batch) {
        batch.waiting.push({ resolve });
      } else {
        const first = { group, waiting: [{ resolve }] };
        batches.set(caller, first);
        void ask(caller, first);
      }
      return promise;
    },
  };
}
