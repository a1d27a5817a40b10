import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect as connectHttp2 } from "node:http2";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Socket } from "node:net";
import { until } from "../../lib/testing/until.ts";
import { open, parse, send, startEdgeUnderTest } from "./edge_under_test.ts";
import type { EdgeUnderTest } from "./edge_under_test.ts";

/* Requests that the edge forwards and refuses, and what it logs. */

let edge: EdgeUnderTest;
const reached: string[] = [];

/** The part of the service: refuses before it reads where there is no key, as the API does. */
async function handle(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  reached.push(pathname);
  if (pathname === "/v1/own")
    return new Response("own", { headers: { "x-content-type-options": "own", "content-security-policy": "own" } });
  if (pathname === "/v1/timeout") return new Response(request.headers.get("x-request-timeout"));
  if (request.method === "GET") return new Response("inside");
  if (request.headers.get("authorization") === null) return new Response("no key", { status: 401 });
  let size = 0;
  for await (const chunk of request.body ?? []) size += chunk.length;
  return new Response(String(size));
}

beforeAll(async () => {
  edge = await startEdgeUnderTest(handle, { env: { EDGE_CONCURRENT_REQUESTS: "300" } });
});
afterAll(() => edge.stop());

const get = (target: string, host = "edge") => send(edge.httpsPort, `GET ${target} HTTP/1.1\r\nHost: ${host}`);

test.each(["--http1.1", "--http2"])("accepts curl's first POST over %s", async (version) => {
  const url = `https://127.0.0.1:${edge.httpsPort}/v1/x`;
  const body = "x".repeat(60_000);
  const options = [version, "--insecure", "--silent", "--max-time", "30", "-H", "Authorization: x", "--data", "@-"];
  const curl = Bun.spawn(["curl", ...options, url], { stdin: Buffer.from(body), stdout: "pipe" });
  expect(await new Response(curl.stdout).text()).toBe(String(body.length));
  expect(await curl.exited).toBe(0);
});

describe("hosts and targets", () => {
  test.each(["a@b", "x?y", "a/b", "a\\b", "a#b", "a b", "", "a:x", "a%2fb", "a..b", "/", "a@b:1", "?", "a:1:2"])(
    "refuses the host %j",
    async (host) => {
      reached.length = 0;
      for (const target of ["/v1/metrics", "/media/calls", "/webhooks/twilio/ready", "/v1/files/health"]) {
        expect((await get(target, host)).status).toBe(400);
      }
      expect((await send(edge.httpPort, `GET /v1/metrics HTTP/1.1\r\nHost: ${host}`, { tls: false })).status).toBe(400);
      expect(reached).toEqual([]);
    },
  );

  test.each(["edge", "127.0.0.1:8443", "[::1]:443", "api.example.com", "under_score"])(
    "serves the host %j",
    async (host) => {
      expect((await get("/v1/x", host)).status).toBe(200);
    },
  );

  test.each([
    "/v1/..\\metrics",
    "/v1/..%5cmetrics",
    "/v1/%2e%2e\\metrics",
    "/v1/../metrics",
    "/v1/%2e%2e/metrics",
    "/v1/%2E%2E/metrics",
    "/v1/..//metrics",
    "/v1/x/..\\..\\ready",
    "/webhooks/..\\calls",
    "/webhooks/twilio/../../calls",
    "/webhooks/twilio/..%2f..%2fcalls",
    "/media/../calls",
    "/media/%2e%2e/calls",
    "//calls",
    "/media//calls",
    "/./metrics",
    "/v1/.",
    "/v1/..",
    "/v1/..?x",
    "/v1/x%00",
    "/v1/x%0d%0aHost:b",
    "/v1/x#/../metrics",
    "/v1/é",
    "/v1/<x>",
    "http://edge/v1/x",
    "https://edge/metrics",
    "http://a@b/v1/metrics",
    "*",
  ])("refuses the target %j", async (target) => {
    reached.length = 0;
    expect((await get(target)).status).toBe(400);
    expect(reached).toEqual([]);
  });

  test.each(["/metrics", "/ready", "/calls", "/calls/x", "/webhooks/calls", "/webhooks", "/health"])(
    "passes %j on to no service",
    async (target) => {
      reached.length = 0;
      expect((await get(target)).status).toBe(404);
      expect(reached).toEqual([]);
    },
  );

  test.each([
    "/v1/x?text=a\\b",
    "/v1/x?a=../b&c=%2e%2e",
    "/v1/a:b@c,d;e=f!g*h(i)'~j",
    "/v1/opt-outs/%2B15550001",
    "/v1/x?",
    "/v1/x%20y",
  ])("serves the target %j", async (target) => {
    expect((await get(target)).status).toBe(200);
  });

  test.each([
    ["a@b", "/v1/metrics", 400],
    ["x?y", "/media/calls", 400],
    ["edge", "/v1/../metrics", 400],
    ["edge", "/v1/..%5cmetrics", 400],
    ["edge", "/v1/x", 200],
  ])("are judged in HTTP/2 as well: %j %j", async (authority, path, status) => {
    reached.length = 0;
    const client = connectHttp2(`https://127.0.0.1:${edge.httpsPort}`, { rejectUnauthorized: false });
    const request = client.request({ ":authority": authority, ":path": path });
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    request.on("response", (headers) => resolve(Number(headers[":status"])));
    request.on("error", reject);
    request.resume().end();
    expect(await promise).toBe(status);
    expect(reached).toEqual(status === 200 ? [path] : []);
    client.destroy();
  });

  test("answers a refused target with a problem", async () => {
    const answer = await get("/v1/../metrics");
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(JSON.parse(answer.body)).toMatchObject({ type: "urn:prosaas:problem:invalid_request", status: 400 });
  });
});

describe("headers", () => {
  const hsts = "max-age=31536000";

  test.each([
    ["/v1/x", 200, "default-src 'none'; frame-ancestors 'none'"],
    ["/webhooks/twilio/x", 200, "default-src 'none'; frame-ancestors 'none'"],
    ["/", 200, "default-src 'none'; script-src 'self'"],
    ["/nothing-here", 404, "default-src 'none'; script-src 'self'"],
    ["/v1/../x", 400, "default-src 'none'"],
  ])("protect %s (%d)", async (target, status, policy) => {
    const { headers, status: given } = await get(target);
    expect(given).toBe(status);
    expect(headers.get("strict-transport-security")).toBe(hsts);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("content-security-policy")).toStartWith(policy);
  });

  test("of a service are kept as they are", async () => {
    const { headers } = await get("/v1/own");
    expect([headers.get("x-content-type-options"), headers.get("content-security-policy")]).toEqual(["own", "own"]);
  });

  test("protect the redirect to https, which sets no HSTS", async () => {
    const { status, headers } = await send(edge.httpPort, "GET /docs?a=b HTTP/1.1\r\nHost: edge", { tls: false });
    expect([status, headers.get("location")]).toEqual([308, `https://edge:${edge.httpsPort}/docs?a=b`]);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("strict-transport-security")).toBeNull();
  });

  test.each([
    ["GET", 6],
    ["POST", 9],
  ])("set the service's deadline (%s)", async (method, seconds) => {
    const head = `${method} /v1/timeout HTTP/1.1\r\nHost: edge\r\nContent-Length: 0\r\nX-Request-Timeout: 4000`;
    expect((await send(edge.httpsPort, head)).body).toBe(`${seconds}`);
  });
});

/** Bytes of all files below the edge's folder. */
async function bytesOnDisk(): Promise<number> {
  const names = await readdir(edge.folder, { recursive: true });
  const sizes = await Promise.all(
    names.map(async (name) => (await stat(join(edge.folder, name)).catch(() => null))?.size ?? 0),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Opens a request with a body that does not end, and sends `bytes` of it. */
async function startBody(
  target: string,
  announced: number,
  bytes: number,
  headers = "",
): Promise<{ socket: Socket; text(): string }> {
  const socket = await open(edge.httpsPort);
  let text = "";
  socket.on("data", (data) => (text += String(data)));
  socket.write(`POST ${target} HTTP/1.1\r\nHost: edge\r\nContent-Length: ${announced}\r\n${headers}\r\n`);
  socket.write(Buffer.alloc(bytes, 97));
  return { socket, text: () => text };
}

describe("bodies", () => {
  test("are refused early without a key", async () => {
    const { socket, text } = await startBody("/v1/messages", 600 * 1024, 100 * 1024);
    await until(() => text().includes("\r\n\r\n"), { what: "the refusal" });
    expect(parse(text()).status).toBe(401);
    socket.destroy();
  });

  test("of many slow connections stay off the disk", async () => {
    reached.length = 0;
    const before = await bytesOnDisk();
    const bodies = await Promise.all(
      Array.from({ length: 200 }, () => startBody("/v1/messages", 600 * 1024, 256 * 1024, "Authorization: x\r\n")),
    );
    const begun = () => reached.filter((path) => path === "/v1/messages").length;
    await until(() => begun() >= 200, { what: "every body to reach the service" });
    expect((await bytesOnDisk()) - before).toBeLessThan(1024 * 1024);
    for (const { socket } of bodies) socket.destroy();
  });

  test.each([
    ["/v1/messages", 640 * 1024],
    ["/v1/businesses/b/broadcasts/c/recipients/upload", 17 * 1024 * 1024],
    ["/v1/businesses/b/media", 128 * 1024 * 1024],
    ["/webhooks/twilio/voice", 64 * 1024],
    ["/v1/files/x", 4096],
    ["/docs", 4096],
    ["/media/CA", 4096],
    ["/", 4096],
  ])("to %s are limited to %d bytes", async (target, most) => {
    const { socket, text } = await startBody(target, most + 1, 10, "Authorization: x\r\n");
    await until(() => text().includes("}"), { what: "the refusal" });
    const { status, body, headers } = parse(text());
    expect([status, headers.get("content-type")]).toEqual([413, "application/problem+json"]);
    expect(body).toContain("urn:prosaas:problem:too_large");
    socket.destroy();
  });

  test("arrive whole, with a length and in chunks", async () => {
    const body = Buffer.alloc(300_000, 98);
    const url = `https://127.0.0.1:${edge.httpsPort}/v1/messages`;
    const options = { method: "POST", headers: { authorization: "x" }, tls: { rejectUnauthorized: false } };
    expect(await (await fetch(url, { ...options, body })).text()).toBe("300000");
    const stream = new Blob([body]).stream();
    expect(await (await fetch(url, { ...options, body: stream })).text()).toBe("300000");
  });
});

describe("connections", () => {
  test("are closed when the client stalls", async () => {
    const beginnings = [
      "",
      "GET /v1/x HTTP/1.1\r\nHost: ed",
      "POST /v1/messages HTTP/1.1\r\nHost: edge\r\nAuthorization: x\r\nContent-Length: 9\r\n\r\n12",
    ];
    // The first bytes of a TLS handshake, on many connections: the limits count requests, and these have none.
    const handshake = "\x16\x03\x01\x02\x00\x01";
    const sockets = await Promise.all([
      ...beginnings.map(() => open(edge.httpsPort)),
      ...Array.from({ length: 500 }, () => open(edge.httpsPort, { tls: false })),
    ]);
    let closed = 0;
    for (const [n, socket] of sockets.entries()) {
      socket.on("close", () => (closed += 1));
      socket.resume();
      const text = beginnings[n] ?? handshake;
      if (text !== "") socket.write(text, "latin1");
    }
    expect((await get("/v1/x")).status).toBe(200);
    await until(() => closed === sockets.length, { what: "the connections to be closed" });
  });
});

describe("limits of one address", () => {
  test("answer 429 above the concurrent requests", async () => {
    const bodies = await Promise.all(
      Array.from({ length: 300 }, () => startBody("/v1/messages", 1000, 10, "Authorization: x\r\n")),
    );
    const refused = await until(
      async () => {
        const answer = await get("/v1/x");
        return answer.status === 429 ? answer : undefined;
      },
      { what: "a refusal" },
    );
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(JSON.parse(refused.body)).toMatchObject({ type: "urn:prosaas:problem:rate_limited", status: 429 });
    for (const { socket } of bodies) socket.destroy();
    await until(async () => (await get("/v1/x")).status === 200, { what: "requests to be accepted again" });
  });

  test("have defaults that no benchmark meets", async () => {
    const configuration = await edge.configuration();
    expect(configuration).toContain("rate=10000r/s");
    expect(configuration).toContain("burst=20000 nodelay");
  });
});
