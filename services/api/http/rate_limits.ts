import { createMiddleware } from "hono/factory";
import type { MiddlewareHandler } from "hono";
import { AppError, messageOf } from "../../../lib/core/errors.ts";
import type { RateLimiter } from "../../../lib/redis/rate_limit.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { Metrics } from "../../../lib/runtime/metrics.ts";
import { withoutRepeats } from "../../../lib/runtime/repeats.ts";
import type { Authenticated } from "./auth/guards.ts";

/**
 * Limits the requests of each key, and of all keys of a business together. Tells the nearest limit in RateLimit-*
 * headers (draft-ietf-httpapi-ratelimit-headers-06).
 */
export function rateLimited(limiter: RateLimiter, logger: Logger, metrics: Metrics): MiddlewareHandler<Authenticated> {
  const windowS = limiter.windowMs / 1000;
  const policy = `${limiter.limit};w=${windowS}`;
  const refused = metrics.counter(
    "api_rate_limited_total",
    "Requests refused because their key or business had used its limit.",
  );
  const failures = metrics.counter(
    "api_rate_limit_failures_total",
    "Requests that this replica counted by itself, without Redis.",
  );
  const report = withoutRepeats((error) =>
    logger.warn({ error: messageOf(error) }, "rate limits are applied by each replica alone"),
  );

  return createMiddleware<Authenticated>(async (c, next) => {
    const { principal } = c.var;
    const permit = await limiter.take(
      principal.keyId,
      principal.kind === "business" ? principal.businessId : undefined,
    );
    if (permit.fallback !== undefined) {
      failures.inc();
      report(permit.fallback);
    }
    const resetS = Math.ceil(permit.resetMs / 1000);
    c.header("ratelimit-policy", policy);
    c.header("ratelimit-limit", String(limiter.limit));
    c.header("ratelimit-remaining", String(permit.remaining));
    c.header("ratelimit-reset", String(resetS));
    if (!permit.granted) {
      refused.inc();
      const detail =
        permit.limitedBy === "caller"
          ? `This key may make ${limiter.limit} requests in ${windowS} s; slow down.`
          : `The keys of this business may make ${limiter.groupLimit} requests together in ${windowS} s; slow down.`;
      throw new AppError("rate_limited", detail, { retryAfterS: Math.min(resetS, Math.ceil(windowS)) });
    }
    await next();
  });
}
