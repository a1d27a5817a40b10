import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { until } from "../../lib/testing/until.ts";
import { send, startEdgeUnderTest } from "./edge_under_test.ts";
import type { EdgeUnderTest } from "./edge_under_test.ts";

/* Instances that take connections and do not answer, as a frozen process, or the kept connections to a lost node. */
let edge: EdgeUnderTest;
const silent: string[] = [];
const silentInstance = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  fetch: (request) => {
    silent.push(`${request.method} ${new URL(request.url).pathname}`);
    return new Promise<Response>(() => {});
  },
});

beforeAll(async () => {
  edge = await startEdgeUnderTest(() => new Response("answered"));
  await edge.register("prosaas-api", silentInstance.port!);
  await edge.register("prosaas-calls", silentInstance.port!);
  const upstream = `:${silentInstance.port} `;
  await until(async () => (await edge.configuration()).split(upstream).length === 4, {
    what: "the instance in each upstream",
  });
  // The workers of the configuration before take requests until they have ended.
  await until(async () => {
    silent.length = 0;
    await Promise.all(Array.from({ length: 4 }, () => get("/v1/warm-up")));
    return silent.length > 0;
  });
}, 60_000);
afterAll(async () => {
  await edge.stop();
  await silentInstance.stop(true);
});

const get = (path: string) => send(edge.httpsPort, `GET ${path} HTTP/1.1\r\nHost: edge`);
const post = (path: string, headers = "") =>
  send(edge.httpsPort, `POST ${path} HTTP/1.1\r\nHost: edge\r\nContent-Length: 0${headers}`);
/** Instances take requests in turn, so that the silent one gets some of these. */
const several = (request: () => ReturnType<typeof send>) => Promise.all(Array.from({ length: 4 }, request));
const reachedSilent = (request: string) => silent.filter((one) => one === request).length;

describe("an instance without an answer", () => {
  test.concurrent("costs time and no answer where requests are repeatable", async () => {
    const path = "/v1/businesses/b/messages";
    const answers = await Promise.all([
      several(() => get("/v1/businesses/b")),
      several(() => post(path, "\r\nIdempotency-Key: k1")),
      several(() => post("/webhooks/twilio/voice")),
    ]);
    expect(answers.flat().map(({ status, body }) => [status, body])).toEqual(
      Array.from({ length: 12 }, () => [200, "answered"]),
    );
    expect(reachedSilent("GET /v1/businesses/b") + reachedSilent(`POST ${path}`)).toBeGreaterThan(0);
    expect(reachedSilent("POST /webhooks/twilio/voice")).toBeGreaterThan(0);
  }, 30_000);

  test.concurrent("fails requests that could take effect twice", async () => {
    const path = "/v1/businesses/c/messages";
    const answers = await several(() => post(path));
    const failed = answers.filter(({ status }) => status === 503);
    expect(failed.length).toBe(reachedSilent(`POST ${path}`));
    expect(answers.filter(({ status }) => status === 200).length).toBe(answers.length - failed.length);
  }, 30_000);
});
