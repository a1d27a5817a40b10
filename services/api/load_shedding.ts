import { createMiddleware } from "hono/factory";
import type { MiddlewareHandler } from "hono";
import { AppError } from "../../lib/core/errors.ts";
import type { Metrics } from "../../lib/runtime/metrics.ts";

/**
 * Answers 503 with Retry-After at once while `max` requests are under way: the ones that were taken keep their speed,
 * where a queue would make everybody too late. Operations and streams of events are not counted.
 */
export function shedsLoad(max: number, metrics: Metrics, of: "requests" | "files" = "requests"): MiddlewareHandler {
  let underWay = 0;
  const shed = metrics.counter(`api_${of}_shed_total`, "Requests refused because too many were under way.");
  metrics.gauge(`api_${of}_under_way`, "Requests under way.", [], (gauge) => gauge.set(underWay));
  return createMiddleware(async (c, next) => {
    if (c.req.path.endsWith("/events")) return next();
    if (underWay >= max) {
      shed.inc();
      throw new AppError("unavailable", "Too many requests are under way; try again shortly.", { retryAfterS: 1 });
    }
    underWay += 1;
    try {
      await next();
    } finally {
      underWay -= 1;
    }
  });
}
