import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createShardClient } from "./client.ts";
import { shardToken } from "./secrets.ts";
import type { BatchMessage, SessionView } from "./index.ts";

type Seen = { method: string; path: string; authorization: string | null; body: unknown };

let server: Bun.Server<undefined>;
let seen: Seen[];
let answer: (request: Request) => Response | Promise<Response>;
beforeAll(() => {
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const { pathname, search } = new URL(request.url);
      const text = await request.text();
      seen.push({
        method: request.method,
        path: pathname + search,
        authorization: request.headers.get("authorization"),
        body: text ? JSON.parse(text) : undefined,
      });
      return answer(request);
    },
  });
});
afterAll(() => server.stop(true));
beforeEach(() => {
  seen = [];
  answer = () => new Response(null, { status: 204 });
});

const business = "01900000-0000-7000-8000-00000000000b";
const id = "01900000-0000-7000-8000-00000000000a";
const client = createShardClient({ token: "secret", timeoutMs: 60_000 });
const at = () => ({ shard: 3, url: `http://127.0.0.1:${server.port}` });
const problem = (status: number, detail: string, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify({ detail }), {
    status,
    headers: { "content-type": "application/problem+json", ...headers },
  });
const session: SessionView = {
  business_id: business,
  shard: 3,
  status: "open",
  phone: "55119",
  since: "2026-03-01T12:00:00.000Z",
  paired: true,
  queue_depth: 0,
  last_inbound_at: null,
};
const message: BatchMessage = { id, wa_message_id: "3EB0", to: "1@g.us", type: "text", text: "hello" };

describe("createShardClient", () => {
  test("sends the contract's requests with the shard's token", async () => {
    answer = (request) => {
      if (request.url.endsWith("/messages"))
        return Response.json({ results: [{ id, wa_message_id: "3EB0", status: "sent" }] });
      if (request.url.includes("/journal/inbound?")) return Response.json({ entries: [], more: false });
      if (request.url.endsWith("/sessions")) return Response.json({ data: [session] });
      return request.method === "DELETE" || request.url.endsWith("/ack")
        ? new Response(null, { status: 204 })
        : Response.json(session);
    };
    await client.connect(at(), business, { method: "code", phone: "55119" });
    await client.view(at(), business);
    await client.list(at());
    await client.logout(at(), business);
    await client.sendBatch(at(), business, [message]);
    await client.readJournal(at(), "inbound", 7);
    await client.ackJournal(at(), "inbound", 42);
    expect(seen.map(({ method, path, body }) => [method, path, body])).toEqual([
      ["POST", `/sessions/${business}/connect`, { method: "code", phone: "55119" }],
      ["GET", `/sessions/${business}`, undefined],
      ["GET", "/sessions", undefined],
      ["DELETE", `/sessions/${business}`, undefined],
      ["POST", `/sessions/${business}/messages`, { messages: [message], follows_accounts: true }],
      ["GET", "/journal/inbound?limit=7", undefined],
      ["POST", "/journal/inbound/ack", { through: 42 }],
    ]);
    expect(new Set(seen.map((request) => request.authorization))).toEqual(
      new Set([`Bearer ${shardToken("secret", 3)}`]),
    );
  });

  test("sends each shard its own token only", async () => {
    answer = () => Response.json({ data: [] });
    await client.list(at());
    await client.list({ ...at(), shard: 4 });
    await client.list(at());
    const [third, fourth, again] = seen.map(({ authorization }) => authorization);
    expect(third).not.toBe(fourth);
    expect(again).toBe(third);
    for (const sent of [third, fourth]) expect(sent).not.toContain("secret");
  });

  test("parses journal entries by stream", async () => {
    const entry = (data: unknown) => ({
      entries: [{ seq: 1, business_id: business, at: "2026-03-01T12:00:00.000Z", data }],
      more: true,
    });
    answer = () => Response.json(entry({ wa_message_id: "W", chat: "1@g.us", status: "read", at: 1_772_366_400_000 }));
    const page = await client.readJournal(at(), "receipts");
    expect(page).toMatchObject({ more: true, entries: [{ seq: 1, data: { status: "read" } }] });
    expect(page.entries[0]!.at).toEqual(new Date("2026-03-01T12:00:00.000Z"));
  });

  test("treats a missing session as logged out", async () => {
    answer = () => problem(404, "there is no such session");
    await client.logout(at(), business);
    expect(seen).toHaveLength(1);
  });
});

describe("errors", () => {
  const codes: [number, string][] = [
    [404, "not_found"],
    [409, "conflict"],
    [429, "unavailable"],
    [503, "unavailable"],
    [504, "upstream_timeout"],
    [500, "internal"],
    [401, "internal"],
  ];
  test.each(codes)("maps status %d to %s", async (status, code) => {
    answer = () => problem(status, "because");
    await expect(client.view(at(), business)).rejects.toMatchObject({ code });
  });

  test("pass on detail and Retry-After, except of a 500", async () => {
    answer = () => problem(503, "the session is not open", { "retry-after": "7" });
    await expect(client.view(at(), business)).rejects.toMatchObject({
      message: "the session is not open",
      retryAfterS: 7,
    });
    answer = () => problem(500, "stack of the shard");
    await expect(client.view(at(), business)).rejects.toMatchObject({ message: expect.not.stringContaining("stack") });
  });

  test("are internal if the answer breaks the contract", async () => {
    for (const body of ["{", "[]", JSON.stringify({ ...session, status: "asleep" })]) {
      answer = () => new Response(body);
      await expect(client.view(at(), business)).rejects.toMatchObject({ code: "internal" });
    }
    for (const results of [[], [{ id: business, wa_message_id: "x", status: "sent" }]]) {
      answer = () => Response.json({ results });
      await expect(client.sendBatch(at(), business, [message])).rejects.toMatchObject({ code: "internal" });
    }
  });

  test("distinguish an unreachable shard from a timeout", async () => {
    await expect(client.view({ shard: 3, url: "http://127.0.0.1:1" }, business)).rejects.toMatchObject({
      code: "unavailable",
      retryAfterS: 2,
    });
    const never = Promise.withResolvers<Response>();
    answer = () => never.promise;
    const impatient = createShardClient({ token: "secret", timeoutMs: 50 });
    await expect(impatient.view(at(), business)).rejects.toMatchObject({ code: "upstream_timeout" });
    never.resolve(new Response(null, { status: 204 }));
  });

  // Following a redirect would send the token to another host.
  test("include redirects, which are not followed", async () => {
    answer = () => new Response(null, { status: 302, headers: { location: "http://127.0.0.1:1/" } });
    await expect(client.view(at(), business)).rejects.toMatchObject({ code: "unavailable" });
    expect(seen).toHaveLength(1);
  });
});

describe("an endless answer", () => {
  const endless = (headers: Record<string, string> = {}) => {
    const chunk = Buffer.alloc(1024 * 1024, " ");
    return new Response(new ReadableStream({ pull: (controller) => controller.enqueue(chunk) }), { headers });
  };

  test("is rejected at the size limit", async () => {
    answer = () => endless();
    await expect(client.readJournal(at(), "inbound")).rejects.toMatchObject({ code: "internal" });
  });

  test("is rejected when compressed", async () => {
    const bomb = Bun.gzipSync(Buffer.alloc(64 * 1024 * 1024, " "));
    answer = () =>
      new Response(bomb, { headers: { "content-encoding": "gzip", "content-length": String(bomb.length) } });
    const cause = expect.objectContaining({ message: expect.stringContaining("more than") as string }) as Error;
    await expect(client.readJournal(at(), "inbound")).rejects.toMatchObject({ code: "internal", cause });
  });

  test("is cut off in a problem document", async () => {
    answer = () => new Response(endless().body, { status: 503, headers: { "retry-after": "1" } });
    await expect(client.readJournal(at(), "inbound")).rejects.toMatchObject({ code: "unavailable" });
  });
});
