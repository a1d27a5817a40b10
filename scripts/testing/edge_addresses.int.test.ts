import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Socket } from "node:net";
import { freePort } from "../../lib/testing/free_port.ts";
import { until } from "../../lib/testing/until.ts";
import { open, parse, send, startEdgeUnderTest } from "./edge_under_test.ts";
import type { Connection, EdgeUnderTest } from "./edge_under_test.ts";

/* The client's address behind load balancers, and in the access log. 127.0.0.1 is a balancer, 127.0.0.2 a stranger. */

const trusted = "127.0.0.1/32,10.9.0.0/16";
const stranger: Connection = { from: "127.0.0.2" };
const limit = 20;

/** Answers with the address that the edge names; never, where the body does not end. */
async function handle(request: Request): Promise<Response> {
  await request.arrayBuffer();
  return new Response(request.headers.get("x-forwarded-for"));
}

let edge: EdgeUnderTest;
let proxied: EdgeUnderTest;
let proxyPort: number;
beforeAll(async () => {
  proxyPort = await freePort();
  const env = { EDGE_TRUSTED_PROXIES: trusted, EDGE_CONCURRENT_REQUESTS: String(limit) };
  [edge, proxied] = await Promise.all([
    startEdgeUnderTest(handle, { env }),
    startEdgeUnderTest(handle, { env: { ...env, EDGE_PROXY_PORT: String(proxyPort) } }),
  ]);
});
afterAll(() => Promise.all([edge.stop(), proxied.stop()]));

const forwarded = (address: string) => `GET /v1/x HTTP/1.1\r\nHost: edge\r\nX-Forwarded-For: ${address}`;

describe("X-Forwarded-For", () => {
  test.each([
    ["203.0.113.7", "203.0.113.7"],
    ["6.6.6.6, 203.0.113.7", "203.0.113.7"],
    ["6.6.6.6, 203.0.113.7, 10.9.1.1", "203.0.113.7"],
    ["10.9.0.1, 203.0.113.7\r\nX-Forwarded-For: 10.9.1.1", "203.0.113.7"],
    ["2001:db8::7", "2001:db8::7"],
    ["unknown", "127.0.0.1"],
  ])("of a balancer, %j, is taken", async (header, address) => {
    expect((await send(edge.httpsPort, forwarded(header))).body).toBe(address);
  });

  test.each(["203.0.113.7", "127.0.0.1", "10.9.1.1, 203.0.113.7"])("of a stranger, %j, is ignored", async (header) => {
    expect((await send(edge.httpsPort, forwarded(header), stranger)).body).toBe("127.0.0.2");
  });

  test("is ignored beside the PROXY protocol", async () => {
    expect((await send(proxied.httpsPort, forwarded("203.0.113.7"))).body).toBe("127.0.0.1");
  });
});

describe("limits", () => {
  /** Opens as many requests without an end as one address may have in flight. */
  async function fill(addresses: string[]): Promise<Socket[]> {
    const head = (address: string) =>
      `POST /v1/x HTTP/1.1\r\nHost: edge\r\nX-Forwarded-For: ${address}\r\nContent-Length: 9\r\n\r\n`;
    const sockets = await Promise.all(addresses.map(() => open(edge.httpsPort)));
    for (const [index, socket] of sockets.entries()) socket.write(head(addresses[index]!));
    return sockets;
  }
  const statusOf = async (address: string) => (await send(edge.httpsPort, forwarded(address))).status;

  test.each([
    ["an IPv4 address", () => "198.51.100.1", "198.51.100.1", "198.51.100.2"],
    ["the /64 of an IPv6 address", (n: number) => `2001:db8::${n}`, "2001:db8::ffff", "2001:db8:0:1::1"],
    ["a mapped IPv4 address", () => "::ffff:198.51.100.3", "198.51.100.3", "::ffff:198.51.100.4"],
  ])("are those of %s", async (_, address, same, other) => {
    const sockets = await fill(Array.from({ length: limit }, (_unused, n) => address(n + 1)));
    await until(async () => (await statusOf(same)) === 429, { what: "a refusal" });
    expect(await statusOf(other)).toBe(200);
    for (const socket of sockets) socket.destroy();
  });
});

/** A header of version 2: TCP over IPv4, from 203.0.113.7:4711 to 192.0.2.1:443. */
const binaryHeader = Buffer.from("0d0a0d0a000d0a515549540a2111000ccb007107c0000201126701bb", "hex");
const textHeader = "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n";
const plain = "GET /v1/x HTTP/1.1\r\nHost: edge";

describe("the PROXY port", () => {
  test.each([
    ["version 1", textHeader, "203.0.113.7"],
    ["version 1 for IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n", "2001:db8::7"],
    ["version 2", binaryHeader, "203.0.113.7"],
    ["a balancer's own check", "PROXY UNKNOWN\r\n", "127.0.0.1"],
  ])("takes the address in %s", async (_, preface, address) => {
    expect((await send(proxyPort, plain, { preface })).body).toBe(address);
  });

  test("answers no stranger", async () => {
    expect((await send(proxyPort, plain, { ...stranger, preface: textHeader })).status).toBeNaN();
  });

  test("closes a connection without the header", async () => {
    await expect(open(proxyPort)).rejects.toThrow();
  });

  test("closes a connection that stalls in the header", async () => {
    const socket = await open(proxyPort, { tls: false, preface: textHeader.slice(0, 20) });
    let closed = false;
    socket.on("close", () => (closed = true));
    socket.resume();
    await until(() => closed, { what: "the connection to be closed" });
  });

  test("is the only one that takes the header", async () => {
    await expect(open(proxied.httpsPort, { preface: textHeader })).rejects.toThrow();
  });
});

describe("the access log", () => {
  /** The line of a request, by what its path contains. */
  const lineOf = async (text: string) => {
    const find = async () => (await edge.requests()).find((line) => line.includes(text));
    return JSON.parse(await until(find, { what: `a line with ${text}` })) as Record<string, unknown>;
  };

  test("has a line of JSON with the client's address", async () => {
    const head = `GET /v1/logged HTTP/1.1\r\nHost: edge\r\nX-Forwarded-For: 203.0.113.7\r\nX-Request-Id: logged-1`;
    await send(edge.httpsPort, head);
    const line = await lineOf("/v1/logged");
    expect(line).toMatchObject({
      level: "info",
      service: "prosaas-edge",
      request_id: "logged-1",
      address: "203.0.113.7",
      peer: "127.0.0.1",
      method: "GET",
      path: "/v1/logged",
      status: 200,
      upstream_status: "200",
    });
    expect(line["time"]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/);
    expect(Math.abs(Date.parse(String(line["time"])) - Date.now())).toBeLessThan(60_000);
  });

  test("holds no query and no credential", async () => {
    const secrets = "Authorization: Bearer hidden-1\r\nCookie: a=hidden-2\r\nReferer: https://x/?hidden-3";
    await send(edge.httpsPort, `GET /v1/secrets?token=hidden-4 HTTP/1.1\r\nHost: edge\r\n${secrets}`);
    await send(edge.httpPort, `GET /v1/moved?token=hidden-5 HTTP/1.1\r\nHost: edge`, { tls: false });
    await Promise.all([lineOf("/v1/secrets"), lineOf("/v1/moved")]);
    expect((await edge.requests()).join("\n")).not.toContain("hidden");
  });

  test("bounds and escapes what clients choose", async () => {
    const agent = `"\\ é\x01${"a".repeat(3_000)}`;
    const path = `/v1/${"p".repeat(3_000)}`;
    await send(edge.httpsPort, `GET ${path} HTTP/1.1\r\nHost: edge\r\nUser-Agent: ${agent}`);
    const line = await lineOf("/v1/ppp");
    expect(line).toMatchObject({ path: path.slice(0, 256), user_agent: '"\\ ' });
  });

  test("has requests that never became one", async () => {
    const socket = await open(edge.httpsPort);
    let text = "";
    socket.on("data", (data) => (text += String(data)));
    socket.write("nonsense\r\n\r\n");
    await until(() => text.includes("\r\n\r\n"), { what: "the refusal" });
    expect(parse(text).status).toBe(400);
    expect(await lineOf('"path":""')).toMatchObject({ status: 400, method: "", address: "127.0.0.1" });
  });
});
