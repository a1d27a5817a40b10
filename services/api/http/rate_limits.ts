import { createMiddleware } from "hono/factory";
import type { MiddlewareHandler } from "hono";
import { AppError, messageOf } from "../../../lib/core/errors.ts";
import type { RateLimiter } from "../../../lib/redis/rate_limit.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { Metrics } from "../../../lib/runtime/metrics.ts";
import { withoutRepeats } from "../../../lib/runtime/repeats.ts";
import type { Authenticated } from "./auth/guards.ts";

/**
 * Rate-limits the requests of each key, and of all keys of a business together. Reports the nearer limit in
 * RateLimit-* headers (draft-ietf-httpapi-ratelimit-headers-06).
 */
export function rateLimited(limiter: RateLimiter, logger: Logger, metrics: Metrics): MiddlewareHandler<Authenticated> {
  const windowS = limiter.windowMs / 1000;
  const policy = `${limiter.limit};w=${windowS}`;
  const refused = metrics.counter(
    "api_rate_limited_total",
    "Requests refused because their key or business had reached its rate limit.",
  );
  const failures = metrics.counter(
    "api_rate_limit_failures_total",
    "Requests that this replica counted alone because Redis was unavailable.",
  );
  const report = withoutRepeats((error) =>
    logger.warn({ error: messageOf(error) }, "redis unavailable: each replica applies rate limits alone"),
  );

  return createMiddleware<Authenticated>(async (c, next) => {
    const principal = c.get("principal");
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
          ? `This key exceeded its limit of ${limiter.limit} requests per ${windowS} s. Retry after the reset.`
          : `The keys of this business exceeded their limit of ${limiter.groupLimit} requests per ${windowS} s. ` +
            "Retry after the reset.";
      throw new AppError("rate_limited", detail, { retryAfterS: Math.min(resetS, Math.ceil(windowS)) });
    }
    await next();
  });
}
