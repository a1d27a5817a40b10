import { afterAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { z } from "zod";
import { AppError } from "../core/errors.ts";
import { until } from "../testing/until.ts";
import { bearer, operations, requestLog, serve } from "./http.ts";
import { createLifecycle } from "./lifecycle.ts";
import { createLogger } from "./log.ts";
import { createMetrics } from "./metrics.ts";
import { notFound, problemHandler } from "./problem.ts";

function capture() {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger("test", "info", { write: (line: string) => void lines.push(JSON.parse(line)) });
  return { lines, logger };
}

function app() {
  const { lines, logger } = capture();
  const hono = new Hono();
  const metrics = createMetrics("test");
  hono.use(requestLog(logger, metrics));
  hono.onError(problemHandler(logger));
  hono.notFound(notFound);
  return { hono, lines, metrics };
}

test("metrics can be read by name, without the others", async () => {
  const { logger } = capture();
  const metrics = createMetrics("test");
  let reads = 0;
  metrics.gauge("once", "Told once.", [], (gauge) => gauge.set((reads += 1)));
  metrics.gauge("other", "Another.", [], (gauge) => gauge.set(7));
  const ops = operations({ logger, metrics, ready: () => [] });
  const read = async (query: string) => (await ops.request(`/metrics${query}`)).text();
  const named = await read("?name[]=prosaas_other&name[]=process_cpu_user_seconds_total&name[]=none");
  expect(named.split("\n").filter((line) => line !== "" && !line.startsWith("#"))).toEqual([
    expect.stringMatching(/^process_cpu_user_seconds_total\{service="test"\} \d/),
    'prosaas_other{service="test"} 7',
  ]);
  expect(await read("")).toContain('prosaas_once{service="test"} 1');
});

describe("error responses", () => {
  test("are problem+json with type, fields and Retry-After", async () => {
    const { hono } = app();
    hono.get("/full", () => {
      throw new AppError("unavailable", "Full.", { retryAfterS: 1.2 });
    });
    hono.get("/bad", () => {
      z.object({ to: z.string() }).parse({ to: 5 });
      return new Response();
    });
    const full = await hono.request("/full", { headers: { "x-request-id": "abcdefgh" } });
    expect(full.status).toBe(503);
    expect(full.headers.get("content-type")).toBe("application/problem+json");
    expect(full.headers.get("retry-after")).toBe("2");
    expect(await full.json()).toMatchObject({
      type: "urn:prosaas:problem:unavailable",
      status: 503,
      detail: "Full.",
      request_id: "abcdefgh",
    });
    const bad = await hono.request("/bad");
    expect(bad.status).toBe(400);
    expect(((await bad.json()) as { errors: { field: string }[] }).errors[0]?.field).toBe("to");
    expect((await hono.request("/nowhere")).status).toBe(404);
  });

  test("log an unexpected error but hide its message", async () => {
    const { hono, lines } = app();
    hono.get("/boom", () => {
      throw new Error("password is hunter2");
    });
    const answer = await hono.request("/boom");
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain("hunter2");
    expect(JSON.stringify(lines)).toContain("hunter2");
  });

  test("keep the status of an HTTPException", async () => {
    const { hono } = app();
    hono.get("/teapot", () => {
      throw new HTTPException(413);
    });
    expect((await hono.request("/teapot")).status).toBe(413);
  });
});

describe("requestLog", () => {
  test("logs each request without its query", async () => {
    const { hono, lines, metrics } = app();
    hono.get("/things/:id", (c) => c.text("ok"));
    await hono.request("/things/7?token=hunter2");
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ method: "GET", path: "/things/7", status: 200 });
    expect(JSON.stringify(lines)).not.toContain("hunter2");
    expect(await metrics.registry.metrics()).toContain('route="/things/:id"');
  });

  test("replaces an unsafe request id", async () => {
    const { hono } = app();
    hono.get("/", (c) => c.text("ok"));
    const answer = await hono.request("/", { headers: { "x-request-id": "a b;<script>" } });
    expect(answer.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });
});

test("operations serves readiness, health and token-protected metrics", async () => {
  let ok = false;
  const { logger } = capture();
  const ops = operations({
    ready: () => [{ name: "redis", ok }],
    metrics: createMetrics("test"),
    metricsToken: "0123456789abcdef",
    logger,
  });
  const notReady = await ops.request("/ready");
  expect(notReady.status).toBe(503);
  expect(await notReady.json()).toEqual({ status: "not_ready", checks: [{ name: "redis", ok: false }] });
  ok = true;
  expect((await ops.request("/ready")).status).toBe(200);
  expect((await ops.request("/health")).status).toBe(200);
  expect((await ops.request("/metrics")).status).toBe(401);
  const metrics = await ops.request("/metrics", { headers: { authorization: "Bearer 0123456789abcdef" } });
  expect(await metrics.text()).toContain("process_cpu_user_seconds_total");
});

test("bearer accepts only the exact token", async () => {
  const { hono } = app();
  hono.use("/internal/*", bearer("secret-token"));
  hono.get("/internal/x", (c) => c.text("ok"));
  for (const authorization of [
    undefined,
    "Bearer wrong",
    "Basic secret-token",
    "Bearer secret-token2",
    "secret-token",
  ]) {
    expect((await hono.request("/internal/x", authorization ? { headers: { authorization } } : {})).status).toBe(401);
  }
  expect((await hono.request("/internal/x", { headers: { authorization: "Bearer secret-token" } })).status).toBe(200);
});

test("bearer accepts each of several tokens", async () => {
  const { hono } = app();
  hono.use("/internal/*", bearer(["former-token", "next-token"]));
  hono.get("/internal/x", (c) => c.text("ok"));
  const statuses = ["former-token", "next-token", "former-token,next-token"].map(
    async (token) => (await hono.request("/internal/x", { headers: { authorization: `Bearer ${token}` } })).status,
  );
  expect(await Promise.all(statuses)).toEqual([200, 200, 401]);
});

test("serve finishes requests in flight when it stops", async () => {
  const life = createLifecycle("test");
  const gate = Promise.withResolvers<void>();
  let entered = false;
  const hono = new Hono().get("/slow", async (c) => {
    entered = true;
    await gate.promise;
    return c.text("done");
  });
  const { url } = serve({ app: hono, host: "127.0.0.1", port: 0, life });
  const slow = fetch(`${url}/slow`).then((answer) => answer.text());
  await until(() => entered);
  const stopped = life.stop();
  gate.resolve();
  expect(await slow).toBe("done");
  await stopped;
  await expect(fetch(`${url}/slow`)).rejects.toThrow();
});

/** Sends the request head verbatim and returns the status and the body of the response. */
function sendRaw(port: number, head: string): Promise<{ status: number; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  let text = "";
  const socket = connect({ port, host: "127.0.0.1" }, () => socket.write(`${head}\r\nConnection: close\r\n\r\n`));
  socket.on("data", (data) => (text += String(data)));
  socket.on("error", reject);
  socket.on("close", () => resolve({ status: Number(text.split(" ")[1]), body: text.split("\r\n\r\n")[1] ?? "" }));
  return promise;
}

describe("serve: Host headers", () => {
  const life = createLifecycle("test");
  const { hono } = app();
  hono.get("*", (c) => c.text(c.req.path));
  const { port } = serve({ app: hono, host: "127.0.0.1", port: 0, life });
  afterAll(() => life.stop());

  test.each([
    "a@b",
    "x?y",
    "a/b",
    "a\\b",
    "a#b",
    "a b",
    "",
    "a:99999",
    "a:x",
    "a%2fb",
    "a..b",
    "[::1",
    "é",
    `${"a".repeat(300)}.b`,
    "a, b",
  ])("refuses %j", async (host) => {
    const answer = await sendRaw(port, `GET /v1/metrics HTTP/1.1\r\nHost: ${host}`);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({ type: "urn:prosaas:problem:invalid_request" });
  });

  test.each(["edge", "127.0.0.1:8443", "api.example.com.", "[::1]:80", "with_underscore.internal", "LOCALHOST"])(
    "serves %j",
    async (host) => {
      expect(await sendRaw(port, `GET /v1/metrics HTTP/1.1\r\nHost: ${host}`)).toEqual({
        status: 200,
        body: "/v1/metrics",
      });
    },
  );

  test("refuses duplicate Host, missing Host and fragments", async () => {
    for (const head of ["GET /x HTTP/1.1\r\nHost: a\r\nHost: b", "GET /x HTTP/1.0", "GET /x#/y HTTP/1.1\r\nHost: a"]) {
      expect((await sendRaw(port, head)).status).toBe(400);
    }
  });
});
