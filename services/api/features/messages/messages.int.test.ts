import { beforeEach, describe, expect, test } from "bun:test";
import { applyReceipts, forPlatform } from "../../../../lib/db/index.ts";
import { whatsappMessageId } from "../../../../lib/core/ids.ts";
import { useHarness } from "../../testing/use_harness.ts";
import type { Answer } from "../../testing/harness.ts";
import { sessionOf } from "../../testing/fake_shards.ts";
import { insertOpenSession } from "../../testing/stored_session.ts";
import { storeInbound } from "../../../../lib/testing/inbound.ts";

const api = useHarness();
beforeEach(() => {
  api.shards.away = false;
  api.shards.calls.length = 0;
  api.woken.length = 0;
  api.producer.wake = async () => {};
});

const text = { to: "5511900000002", type: "text", text: "hello" };

/** A business that is paired according to its shard but not yet in Postgres. */
async function paired() {
  const { id, key } = await api.business();
  await api.request("POST", `/v1/businesses/${id}/whatsapp/connect`, { body: { method: "qr" } });
  api.shards.sessions.set(id, sessionOf(id));
  return { id, key, messages: `/v1/businesses/${id}/messages` };
}

describe("sending a message", () => {
  test("stores it, wakes the outbox and shows receipts", async () => {
    const { id, key, messages } = await paired();
    const sent = await api.request("POST", messages, { key, body: text });
    expect(sent.status).toBe(202);
    expect(sent.body).toEqual({ id: expect.any(String), status: "queued" });
    await api.wakeUps.settled();
    expect(api.woken).toEqual([id]);

    const receipt = {
      business_id: id,
      wa_message_id: whatsappMessageId(sent.body.id),
      status: "read" as const,
      at: new Date("2026-03-01T12:00:00Z"),
    };
    await applyReceipts(forPlatform(api.database.db), [receipt]);
    const read = await api.request("GET", `${messages}/${sent.body.id}`, { key });
    expect(read.status).toBe(200);
    expect(read.body).toMatchObject({
      id: sent.body.id,
      direction: "outbound",
      chat: "5511900000002@s.whatsapp.net",
      text: "hello",
      status: "read",
      read_at: "2026-03-01T12:00:00.000Z",
      played_at: null,
    });
    expect(read.body).not.toHaveProperty("error");
  });

  test("answers 409 to a business that never connected", async () => {
    const { id, key } = await api.business();
    const refused = await api.request("POST", `/v1/businesses/${id}/messages`, { key, body: text });
    expect(refused.status).toBe(409);
    expect(refused.body.detail).toContain("whatsapp/connect");
    expect(api.shards.calls).toEqual([]);
    expect(api.woken).toEqual([]);
  });

  test("asks the shard before it answers 409", async () => {
    const { id, messages } = await paired();
    expect((await api.request("POST", messages, { body: text })).status).toBe(202);
    expect(api.shards.calls).toContain("view");
    api.shards.sessions.set(id, sessionOf(id, { status: "qr" }));
    expect((await api.request("POST", messages, { body: text })).status).toBe(409);
    api.shards.sessions.delete(id);
    expect((await api.request("POST", messages, { body: text })).status).toBe(409);
  });

  test("works while the shard is down", async () => {
    const { id, messages } = await paired();
    await insertOpenSession(api, id);
    api.shards.away = true;
    api.shards.calls.length = 0;
    expect((await api.request("POST", messages, { body: text })).status).toBe(202);
    expect(api.shards.calls).toEqual([]);
  });

  test("answers 503 if the pairing state is unknown", async () => {
    const { messages } = await paired();
    api.shards.away = true;
    const answer = await api.request("POST", messages, { body: text });
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toBe("2");
  });

  test("works while Redis fails or hangs", async () => {
    const { messages } = await paired();
    api.producer.wake = () => Promise.reject(new Error("redis is down"));
    expect((await api.request("POST", messages, { body: text })).status).toBe(202);
    await api.wakeUps.settled();
    const hang = Promise.withResolvers<void>();
    api.producer.wake = () => hang.promise;
    expect((await api.request("POST", messages, { body: text })).status).toBe(202);
    expect((await api.request("GET", messages)).body.data).toHaveLength(2);
    hang.resolve();
    await api.wakeUps.settled();
  });

  test("accepts a future expiry only", async () => {
    const { messages } = await paired();
    const expires_at = "2999-01-01T00:00:00.000Z";
    const { body } = await api.request("POST", messages, { body: { ...text, expires_at } });
    expect((await api.request("GET", `${messages}/${body.id}`)).body).toMatchObject({ status: "queued", expires_at });
    const late = await api.request("POST", messages, { body: { ...text, expires_at: "2020-01-01T00:00:00Z" } });
    expect([late.status, late.body.errors[0].field]).toEqual([400, "expires_at"]);
  });

  test("shows why a message failed", async () => {
    const { id, messages } = await paired();
    const { body } = await api.request("POST", messages, { body: text });
    const refusal = { status: "failed" as const, at: new Date(), error_code: "463", error_message: "refused" };
    await applyReceipts(forPlatform(api.database.db), [
      { business_id: id, wa_message_id: whatsappMessageId(body.id), ...refusal },
    ]);
    expect((await api.request("GET", `${messages}/${body.id}`)).body).toMatchObject({
      status: "failed",
      error: { code: "463", message: "refused" },
    });
  });
});

describe("an Idempotency-Key", () => {
  test("stores one of twenty parallel requests", async () => {
    const { messages } = await paired();
    const requests = Array.from({ length: 20 }, () =>
      api.request("POST", messages, { body: text, headers: { "idempotency-key": "k" } }),
    );
    const answers = await Promise.all(requests);
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([202]));
    expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
    expect(answers.filter((answer) => answer.headers.get("idempotency-replayed") === "true")).toHaveLength(19);
    expect((await api.request("GET", messages)).body.data).toHaveLength(1);
  });

  test("ignores formatting and rejects other requests", async () => {
    const { messages } = await paired();
    const headers = { "idempotency-key": "k" };
    const first = await api.request("POST", messages, { body: text, headers });
    const again = await api.request("POST", messages, {
      body: `{"text":"hello", "type":"text", "to":"+5511900000002"}`,
      headers,
    });
    expect(again.body).toEqual(first.body);
    const other = await api.request("POST", messages, { body: { ...text, text: "other" }, headers });
    expect(other.status).toBe(422);
    expect(other.body.errors[0].field).toBe("idempotency-key");
  });
});

test("lists messages newest first, filtered, in pages", async () => {
  const { id, key, messages } = await paired();
  const ids: string[] = [];
  for (let n = 0; n < 5; n++)
    ids.push((await api.request("POST", messages, { key, body: { ...text, text: `${n}` } })).body.id);
  await storeInbound(forPlatform(api.database.db), [
    {
      business_id: id,
      wa_message_id: "in",
      chat: "5511900000002@s.whatsapp.net",
      sender: "5511900000002@s.whatsapp.net",
      from_me: false,
      push_name: "Ana",
      at: new Date(Date.now() + 60_000),
      type: "text",
      text: "hi",
    },
  ]);
  const seen: string[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const query = new URLSearchParams({ direction: "outbound", limit: "2", ...(cursor ? { cursor } : {}) });
    const page: Answer = await api.request("GET", `${messages}?${query}`, { key });
    expect(page.status).toBe(200);
    seen.push(...page.body.data.map((message: { id: string }) => message.id));
    cursor = page.body.next_cursor;
  }
  expect(seen).toEqual(ids.toReversed());
  const inbound = await api.request("GET", `${messages}?chat=5511900000002&direction=inbound`, { key });
  expect(inbound.body).toMatchObject({
    data: [{ direction: "inbound", sender_name: "Ana", text: "hi", status: "delivered" }],
    next_cursor: null,
  });
});

const bad: [string, unknown, string][] = [
  ["no recipient", { type: "text", text: "x" }, "to"],
  ["a recipient that is no number", { ...text, to: "ana" }, "to"],
  ["a JID of another kind", { ...text, to: "1@newsletter" }, "to"],
  ["an unknown type", { ...text, type: "carrier pigeon" }, "type"],
  ["an empty text", { ...text, text: "" }, "text"],
  ["a text that is too long", { ...text, text: "x".repeat(65_537) }, "text"],
  ["a text with U+0000", { ...text, text: "a\u0000b" }, "text"],
  ["a text that is a number", { ...text, text: 1 }, "text"],
  ["a field that there is not", { ...text, txet: "x" }, "txet"],
  ["a list", [text], "body"],
  ["no JSON", "{", "body"],
  ["an empty body", "", "body"],
];
test.each(bad)("%s is 400 and names the field", async (_, body, field) => {
  const { messages } = await paired();
  const answer = await api.request("POST", messages, { body });
  expect(answer.status).toBe(400);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(answer.body.errors.map((fault: { field: string }) => fault.field)).toContain(field);
});

test("names an invalid query, cursor or key", async () => {
  const { messages } = await paired();
  const field = async (path: string) => (await api.request("GET", path)).body.errors[0].field;
  expect(await field(`${messages}?cursor=nonsense`)).toBe("cursor");
  expect(await field(`${messages}?limit=0`)).toBe("limit");
  expect(await field(`${messages}?status=lost`)).toBe("status");
  const answer = await api.request("POST", messages, { body: text, headers: { "idempotency-key": "x".repeat(256) } });
  expect([answer.status, answer.body.errors[0].field]).toEqual([400, "idempotency-key"]);
});

test("answers 413 to large and 415 to other bodies", async () => {
  const { messages } = await paired();
  expect((await api.request("POST", messages, { body: { ...text, text: "x".repeat(600_000) } })).status).toBe(413);
  const plain = await api.request("POST", messages, { body: "hello", headers: { "content-type": "text/plain" } });
  expect([plain.status, plain.body.errors[0].field]).toEqual([415, "content-type"]);
});

describe("a list of long messages", () => {
  test("ends pages by bytes without gaps", async () => {
    const { key, messages } = await paired();
    const long = { ...text, text: "\u0001".repeat(65_536) };
    const sent: Answer[] = [];
    // In small groups: requests that wait long for a connection answer 503.
    for (let group = 0; group < 10; group++) {
      const answers = Array.from({ length: 4 }, () => api.request("POST", messages, { key, body: long }));
      sent.push(...(await Promise.all(answers)));
    }
    const pages: Answer[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const page: Answer = await api.request("GET", `${messages}?limit=200${cursor && `&cursor=${cursor}`}`, { key });
      pages.push(page);
      cursor = page.body.next_cursor;
    }
    expect(Math.max(...pages.map(({ body }) => body.data.length))).toBeLessThanOrEqual(5);
    const listed = pages.flatMap(({ body }) => body.data.map(({ id }: { id: string }) => id));
    expect(listed).toEqual(
      sent
        .map(({ body }) => body.id)
        .toSorted()
        .toReversed(),
    );
  });
});
