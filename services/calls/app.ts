import { Hono } from "hono";
import type { Logger } from "../../lib/runtime/log.ts";
import { operations, requestLog } from "../../lib/runtime/http.ts";
import type { OperationsOptions } from "../../lib/runtime/http.ts";
import { notFound, problemHandler } from "../../lib/runtime/problem.ts";

export type AppOptions = OperationsOptions & { logger: Logger };

export function createApp({ logger, ...options }: AppOptions): Hono {
  const app = new Hono();
  app.onError(problemHandler(logger));
  app.notFound(notFound);
  app.use(requestLog(logger, options.metrics));
  app.route("/", operations(options));
  return app;
}
