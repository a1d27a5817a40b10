import { createMiddleware } from "hono/factory";
import type { MiddlewareHandler } from "hono";
import { AppError, messageOf } from "../../lib/core/errors.ts";
import type { Permit, RateLimiter } from "../../lib/redis/rate_limit.ts";
import type { Logger } from "../../lib/runtime/log.ts";
import type { Metrics } from "../../lib/runtime/metrics.ts";
import { withoutRepeats } from "../../lib/runtime/repeats.ts";
import type { Authenticated } from "./auth/guards.ts";

/**
 * Limits each key's requests, and says so in RateLimit-* headers (draft-ietf-httpapi-ratelimit-headers-06). While
 * Redis is away nobody is limited: it protects the service from its callers, and callers from nothing.
 */
export function rateLimited(limiter: RateLimiter, logger: Logger, metrics: Metrics): MiddlewareHandler<Authenticated> {
  const policy = `${limiter.limit};w=${limiter.windowMs / 1000}`;
  const refused = metrics.counter("api_rate_limited_total", "Requests refused because their key had used its limit.");
  const failures = metrics.counter("api_rate_limit_failures_total", "Requests that were let through because Redis could not be asked.");
  const report = withoutRepeats((error) => logger.warn({ error: messageOf(error) }, "rate limits are not applied"));

  const permitOf = async (caller: string): Promise<Permit | undefined> => {
    try {
      return await limiter.take(caller);
    } catch (error) {
      failures.inc();
      report(error);
      return undefined;
    }
  };

  return createMiddleware<Authenticated>(async (c, next) => {
    const permit = await permitOf(c.var.principal.keyId);
    if (permit) {
      const resetS = Math.ceil(permit.resetMs / 1000);
      c.header("ratelimit-policy", policy);
      c.header("ratelimit-limit", String(limiter.limit));
      c.header("ratelimit-remaining", String(permit.remaining));
      c.header("ratelimit-reset", String(resetS));
      if (!permit.granted) {
        refused.inc();
        throw new AppError("rate_limited", `This key may make ${limiter.limit} requests in ${limiter.windowMs / 1000} s; slow down.`, {
          retryAfterS: Math.min(resetS, Math.ceil(limiter.windowMs / 1000)),
        });
      }
    }
    await next();
  });
}
