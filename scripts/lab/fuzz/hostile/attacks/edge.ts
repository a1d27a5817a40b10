import { isRefused, kind, survives } from "../kind.ts";
import type { Attack, AttackKind, Verdict } from "../kind.ts";
import { garbage } from "../files.ts";
import { encodeRequest } from "../wire.ts";

/* Attacks of anyone who reaches the edge, without key or signature. */

/** Paths of every location of the edge, including internal ones. */
const paths = [
  "/",
  "/v1/me",
  "/v1/businesses",
  "/v1/metrics",
  "/metrics",
  "/ready",
  "/health",
  "/calls",
  "/media/calls",
  "/media/CA0",
  "/docs",
];
const methods = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"];
const hosts = [
  "a@b",
  "x?y",
  "x#y",
  "x/y",
  "a b",
  "[::1",
  "a:b:c",
  "localhost:999999",
  "\u00e9",
  "%00",
  "..",
  "x\\y",
  "a@b?c",
  "localhost:",
];
/** Marks of internal answers, which must not leave the edge. */
const internalMarks = [/^# HELP /m, /"checks":\[/, /process_resident_memory_bytes/];

function hidesInternals(answer: Awaited<ReturnType<Attack["ask"]>>): Verdict {
  if (answer !== null && internalMarks.some((mark) => mark.test(answer.body)))
    return `internal answer: ${answer.body.slice(0, 100)}`;
  return survives(answer);
}

const rawRequest = (line: string, ...headers: string[]) =>
  Buffer.from(`${[line, ...headers].join("\r\n")}\r\n\r\n`, "latin1");

export const edgeAttacks: AttackKind[] = [
  kind("visitor", "host-odd", async (attack, random) => {
    const [host, path] = [random.pick(hosts), random.pick(paths)];
    const answer = await attack.ask(rawRequest(`GET ${path} HTTP/1.1`, `Host: ${host}`, "Connection: close"));
    return hidesInternals(answer) ?? isRefused(answer);
  }),
  kind("visitor", "host-repeated", async (attack, random) => {
    const answer = await attack.ask(
      rawRequest(`GET ${random.pick(paths)} HTTP/1.1`, "Host: localhost", `Host: ${random.pick(hosts)}`),
    );
    return hidesInternals(answer) ?? isRefused(answer);
  }),
  kind("visitor", "host-long", async (attack, random) => {
    const answer = await attack.ask(
      rawRequest("GET /v1/me HTTP/1.1", `Host: ${"a.".repeat(100 + random.below(20_000))}b`),
    );
    return isRefused(answer);
  }),
  kind("visitor", "target-absolute", async (attack, random) => {
    const target = `${random.pick(["http", "https", "ftp", "x"])}://${random.pick(hosts)}${random.pick(paths)}`;
    return hidesInternals(
      await attack.ask(rawRequest(`GET ${target} HTTP/1.1`, "Host: localhost", "Connection: close")),
    );
  }),
  kind("visitor", "path-traversal", async (attack, random) => {
    const steps = ["..", "%2e%2e", "..%2f", "..%5c", "..\\", ".%00.", "%c0%ae%c0%ae", "..;"];
    const way = Array.from({ length: 1 + random.below(6) }, () => random.pick(steps)).join("/");
    const start = random.pick(["/v1/", "/webhooks/", "/media/", "/v1/files/", "/"]);
    const path = `${start}${way}/${random.pick(["metrics", "ready", "calls", "etc/passwd"])}`;
    return hidesInternals(await attack.ask(rawRequest(`GET ${path} HTTP/1.1`, "Host: localhost", "Connection: close")));
  }),
  kind("visitor", "path-long", async (attack, random) => {
    const path = `/v1/${random.pick(["a", "%41", "/", "%2f", "\u00e9"]).repeat(1_000 + random.below(30_000))}`;
    return survives(await attack.ask(rawRequest(`GET ${path} HTTP/1.1`, "Host: localhost", "Connection: close")));
  }),
  kind("visitor", "headers-many", async (attack, random) => {
    const headers = Array.from({ length: 100 + random.below(3_000) }, (_, n) => `X-${n}: ${n}`);
    return survives(await attack.ask(rawRequest("GET /v1/me HTTP/1.1", "Host: localhost", ...headers)));
  }),
  kind("visitor", "headers-long", async (attack, random) => {
    const name = random.pick([
      "Authorization",
      "Cookie",
      "X-Request-Id",
      "Accept",
      "Idempotency-Key",
      "Last-Event-ID",
      "Range",
    ]);
    return survives(
      await attack.ask(
        rawRequest("GET /v1/me HTTP/1.1", "Host: localhost", `${name}: ${"x".repeat(random.below(64_000))}`),
      ),
    );
  }),
  kind("visitor", "headers-malformed", async (attack, random) => {
    const header = random.pick([
      "no colon",
      ": empty",
      "A\u0000B: c",
      " folded: x",
      "A : b",
      "A: b\rC: d",
      "A: b\nC: d",
      "\u00e9: x",
      "A: \u0001",
    ]);
    return survives(
      await attack.ask(rawRequest("GET /v1/me HTTP/1.1", "Host: localhost", header, "Connection: close")),
    );
  }),
  kind("visitor", "lengths-contradictory", async (attack, random) => {
    const pairs = [
      ["Content-Length: 5", "Transfer-Encoding: chunked"],
      ["Content-Length: 5", "Content-Length: 6"],
      ["Content-Length: -1", "X: y"],
      ["Content-Length: 99999999999999999999", "X: y"],
      ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
      ["Transfer-Encoding: xchunked", "X: y"],
      ["Content-Length: 0x10", "X: y"],
    ];
    const smuggled = "0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const line = await attack.line();
    const head = rawRequest(
      "POST /v1/businesses HTTP/1.1",
      "Host: localhost",
      ...random.pick(pairs),
      "Connection: close",
    );
    await line.write(Buffer.concat([head, Buffer.from(smuggled)]));
    return hidesInternals(await line.answer(attack.budgetMs));
  }),
  kind("visitor", "method-odd", async (attack, random) => {
    const method = random.pick(["TRACE", "CONNECT", "get", "PROPFIND", "X".repeat(5_000), "G\u0000T", "PRI", "PURGE"]);
    return survives(
      await attack.ask(rawRequest(`${method} ${random.pick(paths)} HTTP/1.1`, "Host: localhost", "Connection: close")),
    );
  }),
  kind("visitor", "version-odd", async (attack, random) => {
    const version = random.pick(["HTTP/0.9", "HTTP/1.0", "HTTP/2.0", "HTTP/9.9", "HTTP/1.1 x", "", "ICY"]);
    const line = await attack.line();
    await line.write(
      rawRequest(`${random.pick(methods)} ${random.pick(paths)} ${version}`, "Host: localhost", "Connection: close"),
    );
    await line.hold(200);
    return undefined;
  }),
  kind("visitor", "bytes-random", async (attack, random) => {
    const line = await attack.line();
    await line.write(garbage(random, 1 + random.below(20_000)));
    await line.hold(50);
    return undefined;
  }),
  kind("visitor", "tls-random", async (attack, random) => {
    const line = await attack.line({ secure: false, port: attack.target.httpsPort });
    // A record of a handshake that is none.
    await line.write(
      Buffer.concat([
        Buffer.from([22, 3, 1, random.below(64), random.below(256)]),
        garbage(random, random.below(16_000)),
      ]),
    );
    await line.hold(50);
    return undefined;
  }),
  kind("visitor", "pipeline", async (attack, random) => {
    const line = await attack.line();
    const one = rawRequest(`GET ${random.pick(paths)} HTTP/1.1`, "Host: localhost");
    await line.write(Buffer.concat(Array.from({ length: 20 + random.below(100) }, () => one)));
    return survives(await line.answer(attack.budgetMs));
  }),
  kind("visitor", "key-wrong", async (attack, random) => {
    const key = random.pick([
      `psk_abcdefgh_${"x".repeat(43)}`,
      "x",
      "",
      "\u00e9",
      "psk_".repeat(3_000),
      attack.tenant.key.slice(0, -1),
    ]);
    const scheme = random.pick(["Bearer", "bearer", "Basic", "Bearer Bearer", ""]);
    return isRefused(
      await attack.ask({ method: "GET", path: "/v1/businesses", headers: { authorization: `${scheme} ${key}` } }),
    );
  }),
  kind(
    "visitor",
    "key-guessed",
    async (attack, random) => {
      // Each with a prefix of its own, so that no cache of known keys answers.
      const prefix = Array.from({ length: 8 }, () => random.pick("abcdefghijkmnpqrstuvwxyz23456789".split(""))).join(
        "",
      );
      const headers = { authorization: `Bearer psk_${prefix}_${"k".repeat(43)}` };
      return isRefused(await attack.ask({ method: "GET", path: "/v1/me", headers }));
    },
    { count: 200, width: 16 },
  ),
  kind(
    "visitor",
    "body-without-key",
    async (attack, random) => {
      const line = await attack.line();
      const path = random.pick(["/v1/businesses", `/v1/businesses/${attack.tenant.id}/broadcasts/x/recipients/upload`]);
      await line.write(
        rawRequest(
          `POST ${path} HTTP/1.1`,
          "Host: localhost",
          "Content-Type: text/csv",
          `Content-Length: ${30 * 1024 * 1024}`,
        ),
      );
      const piece = Buffer.alloc(256 * 1024, 120);
      for (let sent = 0; sent < 3 * 1024 * 1024 && !line.isClosed && line.total === 0; sent += piece.length)
        await line.write(piece);
      await line.hold(1_500);
      return undefined;
    },
    { count: 64, width: 32 },
  ),
  kind("visitor", "upgrade-everywhere", async (attack, random) => {
    const headers = {
      upgrade: random.pick(["websocket", "h2c", "x"]),
      connection: "Upgrade",
      "sec-websocket-version": "13",
      "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    };
    const line = await attack.line();
    await line.write(encodeRequest({ method: "GET", path: random.pick(paths), headers }));
    await line.hold(200);
    return undefined;
  }),
  kind("visitor", "file-signature", async (attack, random) => {
    const id = random.pick([attack.tenant.id, "x", "..", "%00"]);
    const query = random.pick([
      "?expires=1&signature=x",
      `?expires=${"9".repeat(50)}&signature=${"A".repeat(1_000)}`,
      "",
      "?expires=NaN",
    ]);
    return isRefused(await attack.ask({ method: "GET", path: `/v1/files/${id}/${id}/content${query}` }));
  }),
  kind("visitor", "sign-in", async (attack, random) => {
    const bodies = ["{}", "{", `{"key":"${"x".repeat(100_000)}"}`, "null", '{"key":["a"]}', '{"key":"\\u0000"}'];
    const headers = { "content-type": "application/json", origin: random.pick(["null", "https://evil.example", "x"]) };
    return isRefused(
      await attack.ask({ method: "POST", path: "/v1/console/session", headers, body: random.pick(bodies) }),
    );
  }),
  kind(
    "visitor",
    "document-in-parallel",
    async (attack) => {
      const headers = { "accept-encoding": "gzip" };
      return survives(await attack.ask({ method: "GET", path: "/v1/openapi.json", headers }));
    },
    { width: 16 },
  ),
];
