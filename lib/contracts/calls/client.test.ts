import { afterAll, describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import type { AppError } from "../../core/errors.ts";
import { createCallsClient } from "./index.ts";

type Asked = { authorization: string | null; key: string | null; body: unknown };

const asked: Asked[] = [];
let answer: () => Response | Promise<Response> = () => new Response();
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: async (request) => {
    const { headers } = request;
    asked.push({
      authorization: headers.get("authorization"),
      key: headers.get("idempotency-key"),
      body: await request.json(),
    });
    return answer();
  },
});
afterAll(() => server.stop(true));

/** Finds a port that is closed. */
async function closedPort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

const here = `http://127.0.0.1:${server.port}`;
const nowhere = `http://127.0.0.1:${await closedPort()}`;
const order = { business_id: crypto.randomUUID(), from: "+15550000001", to: "+15550000002" };
const token = "the token of the calls service";
const client = (addresses: string[], more: { token?: string | undefined; timeoutMs?: number } = {}) =>
  createCallsClient({ addresses: () => addresses, token, ...more });
const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: AppError) => ({ code: error.code, message: error.message, retryAfterS: error.retryAfterS }),
  );

describe("place", () => {
  test("sends the order to a reachable replica", async () => {
    answer = () => Response.json({ call_sid: "CA1", status: "queued", replayed: false }, { status: 201 });
    // The closed port is skipped, whatever the order of the addresses.
    for (let n = 0; n < 8; n++)
      expect(await client([nowhere, here, nowhere]).dial(order, "order-1")).toMatchObject({ call_sid: "CA1" });
    expect(asked).toHaveLength(8);
    expect(asked[0]).toEqual({ authorization: `Bearer ${token}`, key: "order-1", body: order });
  });

  test("passes on the service's error and Retry-After", async () => {
    answer = () => Response.json({ detail: "Try again shortly." }, { status: 503, headers: { "retry-after": "5" } });
    expect(await failureOf(client([here]).dial(order))).toEqual({
      code: "unavailable",
      message: "Try again shortly.",
      retryAfterS: 5,
    });
    answer = () => Response.json({ detail: "No such number." }, { status: 404 });
    expect(await failureOf(client([here]).dial(order))).toMatchObject({
      code: "not_found",
      message: "No such number.",
    });
  });

  test("passes on a forbidden destination", async () => {
    answer = () => Response.json({ detail: "Not to this country." }, { status: 403 });
    expect(await failureOf(client([here]).dial(order))).toMatchObject({
      code: "forbidden",
      message: "Not to this country.",
    });
  });

  test("never retries an order at another replica", async () => {
    asked.length = 0;
    answer = () => new Promise<Response>(() => {});
    expect(await failureOf(client([here, here], { timeoutMs: 100 }).dial(order))).toMatchObject({
      code: "upstream_timeout",
    });
    expect(asked).toHaveLength(1);
  });

  test("reports unavailable replicas and a missing token", async () => {
    expect(await failureOf(client([]).dial(order))).toMatchObject({ code: "unavailable", retryAfterS: 2 });
    expect(await failureOf(client([nowhere]).dial(order))).toMatchObject({ code: "unavailable", retryAfterS: 2 });
    expect(await failureOf(client([here], { token: undefined }).dial(order))).toMatchObject({
      message: expect.stringContaining("CALLS_TOKEN"),
    });
  });

  test("reports an answer that breaks the contract", async () => {
    for (const invalid of [
      () => Response.json({ call: 1 }),
      () => new Response("<html>", { status: 502 }),
      () => new Response("{"),
    ]) {
      answer = invalid;
      expect(await failureOf(client([here]).dial(order))).toMatchObject({ code: "internal" });
    }
  });
});
