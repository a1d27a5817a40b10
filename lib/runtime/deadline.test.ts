import { afterAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { Hono } from "hono";
import { until } from "../testing/until.ts";
import { answersWithin } from "./deadline.ts";
import { requestLog, serve } from "./http.ts";
import { createLifecycle } from "./lifecycle.ts";
import { createLogger } from "./log.ts";
import { createMetrics } from "./metrics.ts";
import { problemHandler } from "./problem.ts";

const life = createLifecycle("test");
afterAll(() => life.stop());

const lines: Record<string, unknown>[] = [];
const logger = createLogger("test", "info", { write: (line: string) => void lines.push(JSON.parse(line)) });
const metrics = createMetrics("test");
const hold = Promise.withResolvers<void>();
let ended = "";

const app = new Hono();
app.onError(problemHandler(logger));
app.use(
  requestLog(logger, metrics),
  answersWithin((c) => (c.req.path === "/long" ? 60_000 : 200)),
);
app.get("/quick", (c) => c.text("done"));
app.get("/hangs", async (c) => {
  await hold.promise;
  return c.text("late");
});
app.get("/long", async (c) => {
  await hold.promise;
  return c.text("late");
});
app.get("/stream", () => {
  const encode = (text: string) => new TextEncoder().encode(text);
  return new Response(
    new ReadableStream({
      start: async (controller) => {
        controller.enqueue(encode("first "));
        await hold.promise;
        controller.enqueue(encode("last"));
        controller.close();
      },
    }),
  );
});
app.post("/body", async (c) => {
  try {
    return c.text(await c.req.text());
  } catch (error) {
    ended = "rejected";
    throw error;
  }
});
const { url, port } = serve({ app, host: "127.0.0.1", port: 0, life });

describe("answersWithin", () => {
  test("passes a request that meets its limit", async () => {
    expect(await (await fetch(`${url}/quick`)).text()).toBe("done");
  });

  test("answers 503 with Retry-After while the handler hangs", async () => {
    const startedAt = performance.now();
    const answer = await fetch(`${url}/hangs`);
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await answer.json()).toMatchObject({ type: "urn:prosaas:problem:unavailable" });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(lines.at(-1)).toMatchObject({ path: "/hangs", status: 503 });
  });

  test("accepts only a shorter limit from the proxy", async () => {
    const startedAt = performance.now();
    expect((await fetch(`${url}/long`, { headers: { "x-request-timeout": "1" } })).status).toBe(503);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect((await fetch(`${url}/hangs`, { headers: { "x-request-timeout": "9999" } })).status).toBe(503);
    for (const value of ["-1", "0", "x", "1e9"]) {
      expect((await fetch(`${url}/quick`, { headers: { "x-request-timeout": value } })).status).toBe(200);
    }
  });

  test("closes the connection of a slow body", async () => {
    let text = "";
    let closed = false;
    const socket = connect({ port, host: "127.0.0.1" });
    socket.on("data", (data) => (text += String(data)));
    socket.on("close", () => (closed = true));
    socket.on("error", () => {});
    socket.write("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
    const drip = setInterval(() => socket.write("x"), 20);
    await until(() => closed && ended === "rejected", { what: "the connection to end" });
    clearInterval(drip);
    expect(text).toStartWith("HTTP/1.1 503");
  });

  test("does not limit a response after it started", async () => {
    const answer = await fetch(`${url}/stream`);
    const text = answer.text();
    expect((await fetch(`${url}/hangs`)).status).toBe(503);
    hold.resolve();
    expect(await text).toBe("first last");
  });
});
