import { Hono } from "hono";
import type { ErrorHandler } from "hono";
import { AppError } from "../../lib/core/errors.ts";
import { isRedisUnavailable } from "../../lib/redis/errors.ts";
import { answersWithin } from "../../lib/runtime/deadline.ts";
import { requestLog } from "../../lib/runtime/http.ts";
import type { Logger } from "../../lib/runtime/log.ts";
import type { Metrics } from "../../lib/runtime/metrics.ts";
import { notFound, problemHandler } from "../../lib/runtime/problem.ts";
import { callsRoutes } from "./calls_routes.ts";
import type { CallsRoutesOptions } from "./calls_routes.ts";
import type { CallMetrics } from "./metrics.ts";
import { streamRoutes } from "./streams/routes.ts";
import { webhookRoutes } from "./webhooks/routes.ts";
import type { WebhookOptions } from "./webhooks/routes.ts";

export type AppOptions = {
  logger: Logger;
  metrics: Metrics;
  webhooks: Omit<WebhookOptions, "core" | "metrics">;
  calls: Omit<CallsRoutesOptions, "core">;
  core: WebhookOptions["core"];
};

/** The carrier waits for 15 s and the edge for 14. */
const webhookDeadlineMs = 13_000;

/** Everything this service answers; it does not listen. */
export function createApp({ logger, core, metrics, ...options }: AppOptions): Hono {
  const app = new Hono();
  app.onError(countingRedis(core.metrics, problemHandler(logger)));
  app.notFound(notFound);
  app.use(requestLog(logger, metrics));
  app.use(
    "/webhooks/*",
    answersWithin(() => webhookDeadlineMs),
  );
  app.route("/webhooks/twilio", webhookRoutes({ core, metrics: core.metrics, ...options.webhooks }));
  app.route("/", streamRoutes({ core, urls: options.calls.urls, authTokens: options.webhooks.authTokens }));
  app.route("/", callsRoutes({ core, ...options.calls }));
  return app;
}

/** A request that failed for want of Redis is counted: it is what an alarm is raised on. */
function countingRedis(metrics: CallMetrics, handler: ErrorHandler): ErrorHandler {
  return (error, c) => {
    if (error instanceof AppError && isRedisUnavailable(error.cause)) metrics.redisUnavailable();
    return handler(error, c);
  };
}
