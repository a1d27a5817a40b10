import { describe, expect, test } from "bun:test";
import { ApiFailure, bodyOf, createApiClient } from "./index.ts";

type Sent = { method: string; path: string; authorization: string | null; key: string | null; body: string };

/** A client whose every request receives `answer`. Records the requests. */
function clientOf(answer: () => Response) {
  const sent: Sent[] = [];
  const api = createApiClient({
    baseUrl: "https://api.example.com",
    key: "psk_1",
    fetch: async (request) => {
      const { pathname, search } = new URL(request.url);
      const { headers } = request;
      const [authorization, key] = [headers.get("authorization"), headers.get("idempotency-key")];
      sent.push({
        method: request.method,
        path: `${pathname}${search}`,
        authorization,
        key,
        body: await request.text(),
      });
      return answer();
    },
  });
  return { api, sent };
}

test("builds requests from path, query, headers and body", async () => {
  const { api, sent } = clientOf(() => Response.json({ data: [], next_cursor: null }));
  const path = { business_id: "a/b" };
  expect(
    await bodyOf(api.GET("/v1/businesses/{business_id}/messages", { params: { path, query: { limit: 2 } } })),
  ).toEqual({
    data: [],
    next_cursor: null,
  });
  await api.POST("/v1/businesses/{business_id}/messages", {
    params: { path, header: { "idempotency-key": "k" } },
    body: { to: "5511987654321", type: "text", text: "hello" },
  });
  expect(sent).toEqual([
    {
      method: "GET",
      path: "/v1/businesses/a%2Fb/messages?limit=2",
      authorization: "Bearer psk_1",
      key: null,
      body: "",
    },
    {
      method: "POST",
      path: "/v1/businesses/a%2Fb/messages",
      authorization: "Bearer psk_1",
      key: "k",
      body: '{"to":"5511987654321","type":"text","text":"hello"}',
    },
  ]);
});

test("throws problems with their Retry-After", async () => {
  const problem = {
    type: "urn:prosaas:problem:rate_limited",
    title: "Too many requests",
    status: 429,
    detail: "slow down",
  };
  const { api } = clientOf(() =>
    Response.json(problem, {
      status: 429,
      headers: { "content-type": "application/problem+json", "retry-after": "7" },
    }),
  );
  const failure = await bodyOf(api.GET("/v1/admin/queues")).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ApiFailure);
  expect(failure).toMatchObject({
    message: "GET /v1/admin/queues answered 429: slow down",
    status: 429,
    problem,
    retryAfterS: 7,
  });
});

test("throws responses of proxies without a problem", async () => {
  const { api } = clientOf(() => new Response("<html>", { status: 502, statusText: "Bad Gateway" }));
  const failure = await bodyOf(api.GET("/v1/admin/queues")).catch((error: unknown) => error);
  expect(failure).toMatchObject({ status: 502, problem: undefined, retryAfterS: undefined });
});

describe("deadlines", () => {
  /** A server that starts a response at once and completes it when the test says so. */
  async function slow(contentType: string, timeoutMs: number) {
    const end = Promise.withResolvers<void>();
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () =>
        new Response(
          new ReadableStream({
            start: async (controller) => {
              controller.enqueue("data: 1\n\n");
              await end.promise;
              controller.enqueue("data: 2\n\n");
              controller.close();
            },
          }),
          { headers: { "content-type": contentType } },
        ),
    });
    const api = createApiClient({ baseUrl: server.url.origin, key: "psk_1", timeoutMs });
    return { api, end: end.resolve, stop: () => server.stop(true) };
  }

  test("do not end a stream after its headers", async () => {
    const { api, end, stop } = await slow("text/event-stream", 200);
    const { data } = await api.GET("/v1/admin/events", { parseAs: "stream" });
    const reader = data!.getReader();
    await reader.read();
    const { promise: later, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, 400);
    await later;
    end();
    expect(new TextDecoder().decode((await reader.read()).value)).toContain("data: 2");
    await stop();
  });

  test("abort a response that never completes", async () => {
    const { api, stop } = await slow("application/json", 200);
    await expect(api.GET("/v1/admin/queues")).rejects.toThrow("no response within 200 ms");
    await stop();
  });
});
