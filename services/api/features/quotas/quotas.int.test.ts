import { afterEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { createHarness } from "../../testing/harness.ts";
import type { Answer, Harness } from "../../testing/harness.ts";
import { createTestMedia } from "../../testing/media.ts";
import { sessionOf } from "../../testing/fake_shards.ts";

let api: Harness | undefined;
afterEach(async () => {
  await api?.close();
  api = undefined;
});

/** Starts an API with quotas and a paired business. */
async function start(quotas: object) {
  const media = createTestMedia("https://api.example.com");
  const harness = (api = await createHarness({ media, quotas }));
  const business = async () => {
    const { id, key } = await harness.business();
    await harness.request("POST", `/v1/businesses/${id}/whatsapp/connect`, { body: { method: "qr" } });
    harness.shards.sessions.set(id, sessionOf(id));
    const post = (path: string, body: unknown, headers = {}) =>
      harness.request("POST", `/v1/businesses/${id}/${path}`, { key, body, headers });
    return {
      id,
      key,
      post,
      send: (text = "hello", headers = {}) => post("messages", { to: "5511900000002", type: "text", text }, headers),
    };
  };
  return { harness, media, business };
}

const quotaExceeded = (quota: string) => ({ status: 429, body: { type: "urn:prosaas:problem:quota_exceeded", quota } });

/** Sends messages until one is refused; returns the number of accepted ones and the refusal. */
async function sendUntilRefused(send: () => Promise<Answer>, most: number) {
  for (let accepted = 0; accepted < most; accepted += 1) {
    const answer = await send();
    if (answer.status !== 202) return { accepted, refusal: answer };
  }
  return { accepted: most, refusal: undefined };
}

const chats = (count: number, first = 0) =>
  Array.from({ length: count }, (_, n) => ({ to: String(5_511_900_000_000 + first + n) }));

describe("outbox quotas", () => {
  test("refuse messages beyond the quota of one business", async () => {
    const { business } = await start({ queuedMessages: 5 });
    const [one, other] = [await business(), await business()];
    const { accepted, refusal } = await sendUntilRefused(one.send, 20);
    expect(refusal).toMatchObject(quotaExceeded("queued_messages"));
    expect(refusal!.headers.get("retry-after")).toBe("10");
    // The first usage read may double-count a message of this process.
    expect(accepted).toBeWithin(4, 6);
    expect(await other.send()).toMatchObject({ status: 202 });
  });

  test("refuse bytes beyond the quota", async () => {
    const { business } = await start({ queuedBytes: 10_000 });
    const one = await business();
    const { accepted, refusal } = await sendUntilRefused(() => one.send("x".repeat(3_000)), 20);
    expect(refusal).toMatchObject(quotaExceeded("queued_bytes"));
    expect(accepted).toBeWithin(2, 4);
  });

  test("count messages queued before the process started", async () => {
    const { harness, business } = await start({ queuedMessages: 200 });
    const one = await business();
    await harness.database.owner`
      insert into messages (id, business_id, direction, chat, type, text, wa_message_id, status, next_attempt_at)
      select gen_random_uuid(), ${one.id}, 'outbound', 'a@s.whatsapp.net', 'text', 'x', n::text, 'queued', now()
      from generate_series(1, 200) n`;
    // The first message starts the usage read without waiting for it.
    const { accepted, refusal } = await sendUntilRefused(one.send, 1_000);
    expect(refusal).toMatchObject(quotaExceeded("queued_messages"));
    // Its own messages alone would reach the quota later.
    expect(accepted).toBeLessThan(100);
  });

  test("do not count replayed requests", async () => {
    const { business } = await start({ queuedMessages: 4 });
    const one = await business();
    for (let n = 0; n < 10; n += 1) expect((await one.send("hello", { "idempotency-key": "one" })).status).toBe(202);
  });

  test("count recipients and add all or none", async () => {
    const { harness, business } = await start({ queuedMessages: 2_500 });
    const one = await business();
    const { body: draft } = await one.post("broadcasts", { name: "Sale", text: "Hello" });
    const add = (from: number, count: number) =>
      one.post(`broadcasts/${draft.id}/recipients`, { recipients: chats(count, from) });
    const table = (count: number) => ["to", ...chats(count, 50_000).map(({ to }) => to)].join("\n");
    const uploaded = () =>
      one.post(`broadcasts/${draft.id}/recipients/upload`, table(2_400), { "content-type": "text/csv" });
    expect(await add(0, 1_000)).toMatchObject({ status: 200, body: { added: 1_000 } });
    // The second page exceeds the quota, so the first one is rolled back.
    expect(await uploaded()).toMatchObject(quotaExceeded("queued_messages"));
    const [row] = await harness.database
      .owner`select count(*)::integer from broadcast_recipients where broadcast_id = ${draft.id}`;
    expect(row).toEqual({ count: 1_000 });
    expect(await add(1_000, 1_000)).toMatchObject({ status: 200, body: { added: 1_000 } });
    expect(await add(0, 1_000)).toMatchObject({ status: 200, body: { added: 0 } });
    const another = { name: "Sale", text: "Hello", recipients: chats(600) };
    expect(await one.post("broadcasts", another)).toMatchObject(quotaExceeded("queued_messages"));
    const listed = await harness.request("GET", `/v1/businesses/${one.id}/broadcasts`, { key: one.key });
    expect(listed.body.data).toHaveLength(1);
  });
});

describe("media quota", () => {
  test("refuses uploads beyond the quota and stores nothing", async () => {
    const { media, business } = await start({ mediaBytes: 300_000 });
    const [one, other] = [await business(), await business()];
    const upload = (size: number, { post } = one) =>
      post("media", randomBytes(size), { "content-type": "application/octet-stream" });
    const known = randomBytes(200_000);
    expect((await one.post("media", known, { "content-type": "application/octet-stream" })).status).toBe(201);
    expect(await upload(200_000)).toMatchObject(quotaExceeded("media_bytes"));
    expect(media.objects.size).toBe(1);
    expect((await upload(90_000)).status).toBe(201);
    expect(await upload(100)).toMatchObject(quotaExceeded("media_bytes"));
    expect((await upload(200_000, other)).status).toBe(201);
  });

  test("counts small files as 16 KiB", async () => {
    const { business } = await start({ mediaBytes: 40_000 });
    const one = await business();
    const upload = () => one.post("media", randomBytes(10), { "content-type": "application/octet-stream" });
    expect((await upload()).status).toBe(201);
    expect((await upload()).status).toBe(201);
    expect(await upload()).toMatchObject(quotaExceeded("media_bytes"));
  });
});

describe("quotas of a business", () => {
  test("replace the platform's quotas", async () => {
    const { harness, business } = await start({ queuedMessages: 3 });
    const [one, other] = [await business(), await business()];
    const path = `/v1/admin/businesses/${one.id}/quotas`;
    const put = (body: object, key?: string) => harness.request("PUT", path, { body, ...(key && { key }) });
    const { status, body } = await put({ queued_messages: 30 });
    expect([status, body.queued_messages, body.media_bytes.is_default]).toEqual([
      200,
      { limit: 30, used: 0, is_default: false },
      true,
    ]);
    await harness.request("POST", `/v1/businesses/${one.id}/broadcasts`, {
      body: { name: "Sale", text: "Hello", recipients: chats(20) },
    });
    expect((await sendUntilRefused(one.send, 5)).accepted).toBe(5);
    expect((await sendUntilRefused(other.send, 20)).refusal).toMatchObject(quotaExceeded("queued_messages"));
    const own = await harness.request("GET", `/v1/businesses/${one.id}/quotas`, { key: one.key });
    expect(own.body.queued_messages).toEqual({ limit: 30, used: 25, is_default: false });
    expect((await put({ queued_messages: -1 })).status).toBe(400);
    expect((await put({}, one.key)).status).toBe(404);
    expect((await put({})).body.queued_messages).toMatchObject({ limit: 3, is_default: true });
  });
});
