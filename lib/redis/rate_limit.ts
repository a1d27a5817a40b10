import type { Redis } from "ioredis";
import { createScript, scriptText } from "./script.ts";
import type { Script } from "./script.ts";

export type RateLimit = { limit: number; windowMs: number };

export type Permit = {
  granted: boolean;
  /** Requests that are left in the window. */
  remaining: number;
  /** Until the whole limit is free again, if nothing more comes. */
  resetMs: number;
};

export type RateLimiter = RateLimit & {
  /** Asks for one request of a caller. Throws "unavailable" where Redis cannot be reached. */
  take(caller: string): Promise<Permit>;
};

export type RateLimiterOptions = RateLimit & { redis: Redis; prefix?: string; script?: Script };

type Waiting = { resolve: (permit: Permit) => void; reject: (error: unknown) => void };

/** The script; `edit` gives a test the chance to put its own clock in the place of TIME. */
export function rateLimitScript(edit: (lua: string) => string = (lua) => lua): Script {
  return createScript(edit(scriptText("take_requests")));
}

/**
 * Counts a caller's requests over all replicas, in Redis. Requests of a caller that come while one is being asked for
 * are asked for together, so that the busiest costs Redis no more than a script at a time for each replica.
 */
export function createRateLimiter({
  redis,
  limit,
  windowMs,
  prefix = "prosaas:rate",
  script = rateLimitScript(),
}: RateLimiterOptions): RateLimiter {
  const waiting = new Map<string, Waiting[]>();

  const ask = async (caller: string): Promise<void> => {
    for (let group = waiting.get(caller)!; group.length > 0; group = waiting.get(caller)!) {
      waiting.set(caller, []);
      try {
        const [granted, remaining, resetMs] = (await script(redis, [`${prefix}:${caller}`], [group.length, limit, windowMs])) as [
          number,
          number,
          number,
        ];
        group.forEach(({ resolve }, n) => resolve({ granted: n < granted, remaining, resetMs }));
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    waiting.delete(caller);
  };

  return {
    limit,
    windowMs,
    take: (caller) => {
      const { promise, resolve, reject } = Promise.withResolvers<Permit>();
      const group = waiting.get(caller);
      if (group) {
        group.push({ resolve, reject });
      } else {
        waiting.set(caller, [{ resolve, reject }]);
        void ask(caller);
      }
      return promise;
    },
  };
}
