import { Hono } from "hono";
import type { Context, MiddlewareHandler, Next } from "hono";
import { routePath } from "hono/route";
import { randomUUID } from "node:crypto";
import { AppError, messageOf } from "../core/errors.ts";
import { safeEqual } from "../core/secret.ts";
import { acceptTrace, continueTrace, isTracing, within } from "../tracing/index.ts";
import type { Span } from "../tracing/index.ts";
import { isPlainRequest } from "./host.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Logger } from "./log.ts";
import { durationBuckets } from "./metrics.ts";
import type { Metrics } from "./metrics.ts";
import { notFound, problemHandler } from "./problem.ts";
import type { Tally } from "./tally.ts";

export type ServeOptions<W> = {
  app: { fetch(request: Request, server: Bun.Server<W>): Response | Promise<Response> };
  host: string;
  port: number;
  life: Lifecycle;
  websocket?: Bun.WebSocketHandler<W>;
  /** Seconds without a byte before a connection is closed; 0 to 255, Bun's limit. */
  idleTimeoutS?: number;
  /** Largest request body in bytes. */
  maxBodyBytes?: number;
};

export type Served<W> = { url: string; host: string; port: number; server: Bun.Server<W> };

const malformed = {
  type: "urn:prosaas:problem:invalid_request",
  title: "The request is not valid",
  status: 400,
  detail: "The Host header must be host[:port], and the target a path.",
};

/**
 * Starts an HTTP server. Answers 400 to requests with a malformed host. When the service stops, the server accepts no
 * new connection and waits for the requests in flight.
 */
export function serve<W = undefined>(options: ServeOptions<W>): Served<W> {
  const server = Bun.serve<W>({
    hostname: options.host,
    port: options.port,
    idleTimeout: options.idleTimeoutS ?? 60,
    maxRequestBodySize: options.maxBodyBytes ?? 1024 * 1024,
    fetch: (request: Request, bun: Bun.Server<W>) =>
      isPlainRequest(request)
        ? options.app.fetch(request, bun)
        : Response.json(malformed, {
            status: 400,
            headers: { "content-type": "application/problem+json", connection: "close" },
          }),
    ...(options.websocket ? { websocket: options.websocket } : {}),
  } as Bun.Serve.Options<W>);
  options.life.onStop("http server", () => server.stop());
  const port = server.port ?? options.port;
  return { url: `http://${options.host}:${port}`, host: options.host, port, server };
}

/** A condition of readiness, by name. */
export type Check = { name: string; ok: boolean; detail?: string };

export type OperationsOptions = {
  /** True if this process may take traffic. Called at each GET /ready. */
  ready: () => Check[] | Promise<Check[]>;
  metrics: Metrics;
  metricsToken?: string | readonly string[] | undefined;
  logger: Logger;
};

/**
 * The operational endpoints of a service: GET /health (alive), /ready (accepts traffic) and /metrics. Serve them on
 * OPS_PORT, never on the service's own port, so that no path through a proxy reaches them.
 */
export function operations({ ready, metrics, metricsToken, logger }: OperationsOptions): Hono {
  const app = new Hono();
  app.onError(problemHandler(logger));
  app.notFound(notFound);
  app.get("/health", (c) => c.json({ status: "alive" }));
  app.get("/ready", async (c) => {
    const checks = await ready();
    const ok = checks.every((check) => check.ok);
    return c.json({ status: ok ? "ready" : "not_ready", checks }, ok ? 200 : 503);
  });
  if (metricsToken !== undefined) app.use("/metrics", bearer(metricsToken));
  app.get("/metrics", async (c) => {
    const text = await readMetrics(metrics, c.req.queries("name[]"));
    return new Response(text, { headers: { "content-type": metrics.registry.contentType } });
  });
  return app;
}

/**
 * All metrics, or those of `names`. A second reader must name what it needs: some gauges hold the maximum since they
 * were read last, and Prometheus would miss it.
 */
async function readMetrics({ registry }: Metrics, names: readonly string[] | undefined): Promise<string> {
  if (names === undefined) return registry.metrics();
  const texts: string[] = [];
  for (const { name } of registry.getMetricsAsArray())
    if (names.includes(name)) texts.push(await registry.getSingleMetricAsString(name));
  return texts.map((text) => `${text}\n`).join("");
}

/** Runs a readiness check. The message of a thrown error becomes its detail. */
export async function check(name: string, test: () => unknown): Promise<Check> {
  try {
    await test();
    return { name, ok: true };
  } catch (error) {
    return { name, ok: false, detail: messageOf(error) };
  }
}

/** Requires `Authorization: Bearer <token>`, with one of the tokens. Compares in constant time. */
export function bearer(tokens: string | readonly string[]): MiddlewareHandler {
  const accepted = [tokens].flat();
  return async (c, next) => {
    const given = c.req.header("authorization")?.match(/^Bearer (.+)$/i)?.[1];
    if (given === undefined || !accepted.some((token) => safeEqual(given, token))) {
      throw new AppError("unauthorized", "Send the service's token as `Authorization: Bearer <token>`.");
    }
    await next();
  };
}

const requestIdForm = /^[A-Za-z0-9_-]{8,64}$/;

/** Senders of `traceparent`: strangers, whose sampled flag is bounded, or services, which are followed. */
export type Callers = "strangers" | "services";

/**
 * Logs one line a request with its id and path, never its query or content, and observes `prosaas_http_request_seconds`
 * by method, route and status. Takes the id from the caller's X-Request-Id if it has a safe form. Continues the
 * caller's trace.
 */
export function requestLog(logger: Logger, metrics: Metrics, callers: Callers = "services"): MiddlewareHandler {
  return requestLogs(logger, metrics)(callers);
}

/** The same for a service with several servers, each with callers of its own. */
export function requestLogs(logger: Logger, metrics: Metrics): (callers: Callers) => MiddlewareHandler {
  const seconds = metrics.tallies("http_request_seconds", "Time to answer a request.", durationBuckets, [
    "method",
    "route",
    "status",
  ]);
  const tallies = new Map<string, Tally>();
  const tallyOf = (method: string, route: string, status: string): Tally => {
    const name = `${method} ${route} ${status}`;
    let tally = tallies.get(name);
    if (tally === undefined) tallies.set(name, (tally = seconds.series({ method, route, status })));
    return tally;
  };
  const handle: Handle = async (c, next, span) => {
    const given = c.req.header("x-request-id");
    const requestId = given !== undefined && requestIdForm.test(given) ? given : randomUUID();
    c.set("requestId", requestId);
    c.header("x-request-id", requestId);
    const start = performance.now();
    await next();
    const ms = performance.now() - start;
    const route = routePath(c, -1);
    tallyOf(c.req.method, route, String(c.res.status)).observe(ms / 1000);
    const line = {
      request_id: requestId,
      method: c.req.method,
      path: c.req.path,
      status: c.res.status,
      ms: Math.round(ms * 10) / 10,
    };
    if (c.res.status >= 500) logger.error(line, "request");
    else logger.info(line, "request");
    if (span !== undefined) endSpan(span, c, { route, requestId });
  };
  return (callers) => {
    const accept = callers === "strangers" ? acceptTrace : continueTrace;
    return (c, next) => {
      if (!isTracing()) return handle(c, next, undefined);
      const span = accept(c.req.header("traceparent"), c.req.method, { kind: "server" });
      return within(span, () => handle(c, next, span));
    };
  };
}

type Handle = (c: Context, next: Next, span: Span | undefined) => Promise<void>;

/** The route, not the path: paths hold phone numbers. */
function endSpan(span: Span, c: Context, { route, requestId }: { route: string; requestId: string }): void {
  const { method } = c.req;
  const { status } = c.res;
  span.rename(`${method} ${route}`);
  span.set({
    "http.request.method": method,
    "http.route": route,
    "http.response.status_code": status,
    "prosaas.request_id": requestId,
  });
  span.end(status >= 500 ? String(status) : undefined);
}
