import type { Redis } from "ioredis";
import { rateLimitScript } from "../../../lib/redis/rate_limit.ts";

/** Counts the outbound calls of each business in a sliding window of 24 hours, in Redis over all replicas. */
export type DailyCalls = {
  /** Counts one call if `limit` allows it. @throws AppError "unavailable" if Redis cannot be reached. */
  take(businessId: string, limit: number): Promise<{ granted: boolean; resetMs: number }>;
};

const dayMs = 24 * 3_600_000;

export function createDailyCalls({ redis, prefix = "prosaas:{calls}" }: { redis: Redis; prefix?: string }): DailyCalls {
  const takeRequests = rateLimitScript();
  return {
    take: async (businessId, limit) => {
      const answer = await takeRequests(redis, [`${prefix}:per_day:${businessId}`], [1, dayMs, limit]);
      const [granted, , resetMs] = answer as [number, number, number];
      return { granted: granted === 1, resetMs };
    },
  };
}
