import { Hono } from "hono";
import type { ErrorHandler } from "hono";
import { AppError } from "../../lib/core/errors.ts";
import { isRedisUnavailable } from "../../lib/redis/errors.ts";
import { answersWithin } from "../../lib/runtime/deadline.ts";
import { operations, requestLogs } from "../../lib/runtime/http.ts";
import type { OperationsOptions } from "../../lib/runtime/http.ts";
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
  operations: Omit<OperationsOptions, "logger" | "metrics">;
  webhooks: Omit<WebhookOptions, "core" | "metrics">;
  calls: Omit<CallsRoutesOptions, "core">;
  core: WebhookOptions["core"];
};

/** The carrier waits for 15 s and the edge for 14. */
const webhookDeadlineMs = 13_000;

export type CallsApps = {
  /** For the carrier: webhooks and media streams, behind nginx. */
  app: Hono;
  /** For the platform: the internal API and the operational endpoints, on a port without nginx. */
  internal: Hono;
};

/** Builds the service's routes without listening. */
export function createApps({ logger, core, metrics, ...options }: AppOptions): CallsApps {
  const logOf = requestLogs(logger, metrics);
  const onError = countingRedis(core.metrics, problemHandler(logger));

  const internal = operations({ ...options.operations, logger, metrics });
  internal.onError(onError);
  internal.use("/calls", logOf("services"));
  internal.route("/", callsRoutes({ core, ...options.calls }));

  const app = new Hono();
  app.onError(onError);
  app.notFound(notFound);
  app.use(logOf("strangers"));
  app.use(
    "/webhooks/*",
    answersWithin(() => webhookDeadlineMs),
  );
  app.route("/webhooks/twilio", webhookRoutes({ core, metrics: core.metrics, ...options.webhooks }));
  app.route("/", streamRoutes({ core, urls: options.calls.urls, authTokens: options.webhooks.authTokens }));
  return { app, internal };
}

/** Counts requests that failed because Redis is unavailable, for an alarm. */
function countingRedis(metrics: CallMetrics, handler: ErrorHandler): ErrorHandler {
  return (error, c) => {
    if (error instanceof AppError && isRedisUnavailable(error.cause)) metrics.redisUnavailable();
    return handler(error, c);
  };
}
