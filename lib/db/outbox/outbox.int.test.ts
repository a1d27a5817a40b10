import { afterAll, beforeAll, expect, test } from "bun:test";
import { deterministicUuidv7, uuidv7, whatsappMessageId } from "../../core/ids.ts";
import { createBusiness } from "../../testing/business.ts";
import { createMigratedDatabase } from "../../testing/database.ts";
import type { MigratedDatabase } from "../../testing/database.ts";
import { until } from "../../testing/until.ts";
import {
  applyReceipts,
  atomically,
  beginBroadcast,
  deleteBusiness,
  forBusiness,
  forPlatform,
  getMessage,
  holdBroadcast,
  insertBroadcast,
  releaseBroadcast,
  listMessages,
  listPendingBusinesses,
  moveBroadcast,
  pendingMessages,
  recordSendResults,
  setPacing,
  submitMessage,
} from "../index.ts";
import type { BusinessScope, Idempotency } from "../index.ts";

let database: MigratedDatabase;
beforeAll(async () => {
  database = await createMigratedDatabase({ poolSize: 20 });
});
afterAll(() => database.close());

const newMessage = (chat = "1@s.whatsapp.net", text = "hello") => {
  const id = uuidv7();
  return { id, chat, type: "text" as const, text, wa_message_id: whatsappMessageId(id) };
};
const send = async (scope: BusinessScope, chat?: string) => {
  const message = newMessage(chat);
  expect(await submitMessage(scope, message)).toEqual({ outcome: "accepted" });
  return message.id;
};
/** A broadcast that is running and has this in the outbox. */
const runningWith = async (scope: BusinessScope, messageId: string) => {
  const id = uuidv7();
  const quiet = { quiet_from: null, quiet_to: null };
  await insertBroadcast(scope, {
    id,
    name: "Sale",
    text: "hello",
    time_zone: null,
    scheduled_at: null,
    ...quiet,
    per_minute: 60,
  });
  await database.owner`update broadcasts set status = 'scheduled' where id = ${id}`;
  await beginBroadcast(scope, id);
  await database.owner`update messages set broadcast_id = ${id} where id = ${messageId}`;
  return id;
};
const idempotent = (key: string, fingerprint: string, id: string): Idempotency => ({
  key,
  fingerprint,
  status: 202,
  response: { id },
});
const pendingIds = async (scope: BusinessScope, limit = 50) =>
  (await pendingMessages(scope, { limit })).messages.map((row) => row.id);
const inMs = (ms: number) => new Date(Date.now() + ms);

test("of twenty parallel requests with one key, one is stored and all get its answer", async () => {
  const scope = await createBusiness(database.db);
  const attempts = Array.from({ length: 20 }, () => newMessage());
  const outcomes = await Promise.all(
    attempts.map((message) => submitMessage(scope, message, { idempotency: idempotent("k", "same", message.id) })),
  );
  const winner = attempts[outcomes.findIndex((outcome) => outcome.outcome === "accepted")]!;
  expect(outcomes.filter((outcome) => outcome.outcome === "accepted")).toHaveLength(1);
  expect(outcomes.filter((outcome) => outcome.outcome === "replayed")).toEqual(
    Array.from({ length: 19 }, () => ({ outcome: "replayed", status: 202, response: { id: winner.id } })),
  );
  expect(await listMessages(scope, { limit: 50 })).toHaveLength(1);
});

test("a key that comes with another request is a mismatch, and nothing is stored", async () => {
  const scope = await createBusiness(database.db);
  const [first, second] = [newMessage(), newMessage()];
  await submitMessage(scope, first, { idempotency: idempotent("k", "one", first.id) });
  expect(await submitMessage(scope, second, { idempotency: idempotent("k", "other", second.id) })).toEqual({
    outcome: "mismatched",
  });
  expect(await listMessages(scope, { limit: 50 })).toHaveLength(1);
});

test("a key that has expired may be used again", async () => {
  const scope = await createBusiness(database.db);
  const [first, second] = [newMessage(), newMessage()];
  await submitMessage(scope, first, { idempotency: idempotent("k", "one", first.id) });
  await database.owner`update idempotency_keys set expires_at = now() - interval '1 second' where business_id = ${scope.businessId}`;
  expect(await submitMessage(scope, second, { idempotency: idempotent("k", "other", second.id) })).toEqual({
    outcome: "accepted",
  });
  expect(await submitMessage(scope, newMessage(), { idempotency: idempotent("k", "other", "") })).toMatchObject({
    outcome: "replayed",
    response: { id: second.id },
  });
});

test("the same key of two businesses is two keys", async () => {
  for (const scope of [await createBusiness(database.db), await createBusiness(database.db)]) {
    const message = newMessage();
    expect(await submitMessage(scope, message, { idempotency: idempotent("k", "same", message.id) })).toEqual({
      outcome: "accepted",
    });
  }
});

test("an unpaired business is told so, unless its shard said otherwise; the key stays free", async () => {
  const scope = await createBusiness(database.db, { paired: false });
  const message = newMessage();
  const idempotency = idempotent("k", "same", message.id);
  expect(await submitMessage(scope, message, { idempotency })).toEqual({ outcome: "unpaired", whatsapp_shard: null });
  expect(await submitMessage(scope, message, { idempotency, knownPaired: true })).toEqual({ outcome: "accepted" });
});

test("an answer is given again although the business is no longer paired", async () => {
  const scope = await createBusiness(database.db);
  const message = newMessage();
  const idempotency = idempotent("k", "same", message.id);
  await submitMessage(scope, message, { idempotency });
  await database.owner`update whatsapp_sessions set paired = false where business_id = ${scope.businessId}`;
  expect(await submitMessage(scope, newMessage(), { idempotency })).toMatchObject({
    outcome: "replayed",
    response: { id: message.id },
  });
});

test("a business that does not exist, or no longer, takes no message", async () => {
  expect(await submitMessage(forBusiness(database.db, uuidv7()), newMessage())).toEqual({
    outcome: "unknown_business",
  });
  const scope = await createBusiness(database.db);
  const id = await send(scope);
  expect(await deleteBusiness(scope)).toBeTrue();
  expect(await deleteBusiness(scope)).toBeFalse();
  expect(await submitMessage(scope, newMessage(), { knownPaired: true })).toEqual({ outcome: "unknown_business" });
  expect(await getMessage(scope, id)).toMatchObject({ status: "failed", error_code: "business_deleted" });
});

test("the outbox is read in the order in which it was written, up to the limit", async () => {
  const scope = await createBusiness(database.db);
  const ids = [];
  for (let n = 0; n < 5; n++) ids.push(await send(scope, `${n % 2}@s.whatsapp.net`));
  expect(await pendingIds(scope)).toEqual(ids);
  expect(await pendingIds(scope, 3)).toEqual(ids.slice(0, 3));
});

test("what was accepted later goes later and waits for what is in front of it, though the clock of who accepted the first is fast", async () => {
  const scope = await createBusiness(database.db);
  const first = { ...newMessage(), id: deterministicUuidv7(Date.now() + 3_000, scope.businessId) };
  await submitMessage(scope, first);
  await database.owner`update messages set queued_at = queued_at - interval '1 second' where id = ${first.id}`;
  const second = await send(scope);
  expect(second < first.id).toBeTrue();
  expect(await pendingIds(scope)).toEqual([first.id, second]);
  expect(await pendingIds(scope, 1)).toEqual([first.id]);
  await database.owner`update messages set broadcast_id = ${uuidv7()} where id = ${first.id}`;
  expect(await pendingIds(scope)).toEqual([first.id, second]);
  await recordSendResults(scope, [
    { id: first.id, status: "retry", next_attempt_at: inMs(60_000), error_code: "timeout", error_message: "no answer" },
  ]);
  expect(await pendingIds(scope)).toEqual([]);
});

test("nothing in a chat overtakes a message that waits for its next attempt; other chats go on", async () => {
  const scope = await createBusiness(database.db);
  const [first, elsewhere, second] = [
    await send(scope, "1@g.us"),
    await send(scope, "2@g.us"),
    await send(scope, "1@g.us"),
  ];
  await recordSendResults(scope, [
    { id: first, status: "retry", next_attempt_at: inMs(60_000), error_code: "timeout", error_message: "no answer" },
  ]);
  expect(await pendingIds(scope)).toEqual([elsewhere]);
  await database.owner`update messages set next_attempt_at = date_trunc('milliseconds', now()) where id = ${first}`;
  expect(await pendingIds(scope)).toEqual([first, elsewhere, second]);
  expect(await getMessage(scope, first)).toMatchObject({ attempts: 1, status: "queued", error_code: "timeout" });
});

test("each kind of messages is read by itself, with what of the other stands in front of one in its chat", async () => {
  const scope = await createBusiness(database.db);
  const kinds: [chat: string, ofBroadcast: boolean][] = [
    ["1@g.us", true],
    ["2@g.us", false],
    ["1@g.us", false],
    ["2@g.us", true],
    ["3@g.us", true],
    ["4@g.us", false],
  ];
  const broadcast = uuidv7();
  const ids: string[] = [];
  for (const [chat, ofBroadcast] of kinds) {
    const id = await send(scope, chat);
    if (ofBroadcast) await database.owner`update messages set broadcast_id = ${broadcast} where id = ${id}`;
    ids.push(id);
  }
  const places = async (ofBroadcasts: boolean, limit = 50) =>
    (await pendingMessages(scope, { limit, ofBroadcasts })).messages.map(({ id }) => ids.indexOf(id));
  expect(await places(false)).toEqual([0, 1, 2, 5]);
  expect(await places(true)).toEqual([0, 1, 3, 4]);
  expect(await places(true, 2)).toEqual([0, 1]);
});

test("a broadcast's message that only waits for its pace goes along with what is urgent behind it; one that waits for another reason holds it up", async () => {
  const scope = await createBusiness(database.db);
  const broadcast = uuidv7();
  const release = async () => {
    const id = await send(scope);
    await database.owner`update messages set broadcast_id = ${broadcast} where id = ${id}`;
    return id;
  };
  const [first, second] = [await release(), await release()];
  const urgent = await send(scope);
  const later = await release();
  for (const id of [first, second, later])
    await recordSendResults(scope, [{ id, status: "paced", next_attempt_at: inMs(3_600_000) }]);
  expect(await pendingIds(scope)).toEqual([first, second, urgent]);
  expect((await pendingMessages(scope, { limit: 50, ofBroadcasts: true })).messages).toEqual([]);

  await recordSendResults(scope, [
    {
      id: first,
      status: "retry",
      next_attempt_at: inMs(3_600_000),
      error_code: "not_sent",
      error_message: "undecided",
    },
  ]);
  expect(await pendingIds(scope)).toEqual([]);
  await recordSendResults(scope, [{ id: first, status: "sent", at: inMs(0) }]);
  expect(await pendingIds(scope)).toEqual([second, urgent]);
});

test("what a pause holds is neither taken along, nor let go by a change of the pace or by a step of its broadcast that was under way", async () => {
  const scope = await createBusiness(database.db);
  const held = await send(scope);
  const broadcast = await runningWith(scope, held);
  const urgent = await send(scope);
  await recordSendResults(scope, [{ id: held, status: "paced", next_attempt_at: inMs(3_600_000) }]);
  await moveBroadcast(scope, broadcast, "pause");
  expect(await pendingIds(scope)).toEqual([urgent]);
  await setPacing(scope, { messages_per_minute: 30 });
  expect(await releaseBroadcast(scope, broadcast)).toBe(0);
  expect(await pendingIds(scope)).toEqual([urgent]);
  expect((await pendingMessages(scope, { limit: 50, ofBroadcasts: true })).messages).toEqual([]);
  await moveBroadcast(scope, broadcast, "resume");
  await beginBroadcast(scope, broadcast);
  expect(await releaseBroadcast(scope, broadcast)).toBe(1);
  expect(await pendingIds(scope)).toEqual([held, urgent]);
});

test("what quiet hours held is not let go past a pause that is about to be committed", async () => {
  const scope = await createBusiness(database.db);
  const broadcast = await runningWith(scope, await send(scope));
  await holdBroadcast(scope, broadcast);
  const [released] = await atomically(scope, async (inner) => {
    await moveBroadcast(inner, broadcast, "pause");
    const releasing = releaseBroadcast(scope, broadcast);
    await until(
      async () =>
        (
          await database.owner`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
        ).length > 0,
      { what: "a lock to be waited for" },
    );
    // Boxed: it ends only after this.
    return [releasing];
  });
  expect(await released).toBe(0);
});

test("what of the other kind has expired is left to whoever has that on its way", async () => {
  const scope = await createBusiness(database.db);
  const id = await send(scope);
  await database.owner`update messages set broadcast_id = ${uuidv7()}, expires_at = now() - interval '1 second' where id = ${id}`;
  expect(await pendingMessages(scope, { limit: 50 })).toEqual({ messages: [], expired: [] });
  expect((await pendingMessages(scope, { limit: 50, ofBroadcasts: true })).expired).toMatchObject([{ id }]);
});

test("a message that has expired fails, and frees its chat", async () => {
  const scope = await createBusiness(database.db);
  const [expired, next] = [await send(scope), await send(scope)];
  await database.owner`
    update messages set expires_at = now() - interval '1 second', next_attempt_at = date_trunc('milliseconds',
      now()) + interval '1 hour' where id = ${expired}`;
  const pending = await pendingMessages(scope, { limit: 50 });
  expect(pending.messages.map(({ id }) => id)).toEqual([next]);
  expect(pending.expired).toMatchObject([
    { id: expired, before: "queued", status: "failed", failed_at: expect.any(Date) },
  ]);
  expect(await getMessage(scope, expired)).toMatchObject({ status: "failed", error_code: "expired" });
});

test('a result of "paced" that comes after the message went, by the other lease\'s holder, changes nothing', async () => {
  const scope = await createBusiness(database.db);
  const id = await send(scope);
  await recordSendResults(scope, [{ id, status: "sent", at: inMs(0) }]);
  await recordSendResults(scope, [{ id, status: "paced", next_attempt_at: inMs(3_600_000) }]);
  expect(await getMessage(scope, id)).toMatchObject({ status: "sent", error_code: null, next_attempt_at: null });
});

test("the results of a batch are recorded together", async () => {
  const scope = await createBusiness(database.db);
  const [sent, failed, retried] = [
    await send(scope, "1@g.us"),
    await send(scope, "2@g.us"),
    await send(scope, "3@g.us"),
  ];
  const at = inMs(0);
  const changes = await recordSendResults(scope, [
    { id: retried, status: "retry", next_attempt_at: at, error_code: "busy", error_message: "busy" },
    { id: sent, status: "sent", at },
    { id: failed, status: "failed", at, error_code: "463", error_message: "refused" },
  ]);
  expect(changes.map(({ id, before, status }) => ({ id, before, status }))).toEqual(
    expect.arrayContaining([
      { id: retried, before: "queued", status: "queued" },
      { id: sent, before: "queued", status: "sent" },
      { id: failed, before: "queued", status: "failed" },
    ]),
  );
  expect(changes).toHaveLength(3);
  expect(await getMessage(scope, sent)).toMatchObject({
    status: "sent",
    sent_at: at,
    attempts: 1,
    next_attempt_at: null,
    error_code: null,
  });
  expect(await getMessage(scope, failed)).toMatchObject({
    status: "failed",
    failed_at: at,
    error_code: "463",
    error_message: "refused",
  });
  expect(await pendingIds(scope)).toEqual([retried]);
});

test("a tick that came before the result is kept, and the result still tells when it was sent", async () => {
  const scope = await createBusiness(database.db);
  const id = await send(scope);
  const [sentAt, readAt] = [new Date("2026-01-01T00:00:00Z"), new Date("2026-01-01T00:00:05Z")];
  await applyReceipts(forPlatform(database.db), [
    { business_id: scope.businessId, wa_message_id: whatsappMessageId(id), status: "read", at: readAt },
  ]);
  await recordSendResults(scope, [{ id, status: "sent", at: sentAt }]);
  await recordSendResults(scope, [
    { id, status: "retry", next_attempt_at: readAt, error_code: "late", error_message: "" },
  ]);
  expect(await getMessage(scope, id)).toMatchObject({
    status: "read",
    sent_at: sentAt,
    read_at: readAt,
    next_attempt_at: null,
  });
});

test("results of one business do not touch another's rows", async () => {
  const [scope, other] = [await createBusiness(database.db), await createBusiness(database.db)];
  const id = await send(other);
  expect(await recordSendResults(scope, [{ id, status: "sent", at: inMs(0) }])).toEqual([]);
  expect(await getMessage(other, id)).toMatchObject({ status: "queued" });
});

test("the sweep finds every business with work that is due, page by page", async () => {
  const scopes = [
    await createBusiness(database.db),
    await createBusiness(database.db),
    await createBusiness(database.db),
  ];
  for (const scope of scopes) await send(scope);
  const waiting = scopes[2]!;
  await database.owner`update messages set next_attempt_at = date_trunc('milliseconds', now()) + interval '1 hour' where business_id = ${waiting.businessId}`;
  const found: string[] = [];
  for (let after: string | undefined; ;) {
    const page = await listPendingBusinesses(forPlatform(database.db), { after, limit: 1 });
    if (page.length === 0) break;
    found.push(...page);
    after = page.at(-1);
  }
  expect(found).toContain(scopes[0]!.businessId);
  expect(found).toContain(scopes[1]!.businessId);
  expect(found).not.toContain(waiting.businessId);
  expect(new Set(found).size).toBe(found.length);
});

test("messages are listed newest first, by chat, direction and status, page by page", async () => {
  const scope = await createBusiness(database.db);
  const ids: string[] = [];
  for (let n = 0; n < 5; n++) ids.push(await send(scope, n === 0 ? "9@g.us" : "1@g.us"));
  const list = async (filter: Omit<Parameters<typeof listMessages>[1], "limit">, limit = 50) =>
    (await listMessages(scope, { ...filter, limit })).map((row) => row.id);
  expect(await list({})).toEqual(ids.toReversed());
  expect(await list({ chat: "9@g.us" })).toEqual([ids[0]!]);
  expect(await list({ direction: "inbound" })).toEqual([]);
  expect(await list({ status: "queued", before: ids[2]! }, 1)).toEqual([ids[1]!]);
});
