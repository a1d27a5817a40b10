import { describe, expect, test } from "bun:test";
import { deterministicUuidv7, uuidv7 } from "../../core/ids.ts";
import { createBusiness } from "../../testing/business.ts";
import { until } from "../../testing/until.ts";
import {
  atomically,
  beginBroadcast,
  getMessage,
  holdBroadcast,
  changeBroadcastStatus,
  pendingMessages,
  recordSendResults,
  releaseBroadcast,
  setPacing,
  submitMessage,
} from "../index.ts";
import { inMs, newMessage, pendingIds, runningWith, send, useDatabase } from "../testing/outbox.ts";

const stage = useDatabase();

describe("pendingMessages", () => {
  test("claims messages in the order of insertion, limited", async () => {
    const scope = await createBusiness(stage.database.db);
    const ids = [];
    for (let n = 0; n < 5; n++) ids.push(await send(scope, `${n % 2}@s.whatsapp.net`));
    expect(await pendingIds(scope)).toEqual(ids);
    expect(await pendingIds(scope, 3)).toEqual(ids.slice(0, 3));
  });

  test("ends a claim at its bytes", async () => {
    const scope = await createBusiness(stage.database.db);
    const long = "é".repeat(50_000);
    const ids = [];
    for (const text of [long, long, "short", long]) {
      const message = { ...newMessage(), text };
      await submitMessage(scope, message);
      ids.push(message.id);
    }
    expect(await pendingIds(scope)).toEqual(ids.slice(0, 3));
  });

  test("ends a claim at the bytes of compressed content", async () => {
    const scope = await createBusiness(stage.database.db);
    const ids = [await send(scope), await send(scope), await send(scope)];
    await stage.database.owner`
      update messages set content = jsonb_build_object('name', repeat('a', 100000))
      where business_id = ${scope.businessId}`;
    expect(await pendingIds(scope)).toEqual(ids.slice(0, 2));
  });

  test("claims a message above the bytes alone", async () => {
    const scope = await createBusiness(stage.database.db);
    const large = { ...newMessage(), text: "é".repeat(200_000) };
    await submitMessage(scope, large);
    await send(scope);
    expect(await pendingIds(scope)).toEqual([large.id]);
  });

  test("orders messages by Postgres' clock despite skewed processes", async () => {
    const scope = await createBusiness(stage.database.db);
    const first = { ...newMessage(), id: deterministicUuidv7(Date.now() + 600_000, scope.businessId) };
    await submitMessage(scope, first);
    await stage.database.owner`update messages set queued_at = queued_at - interval '1 second' where id = ${first.id}`;
    const second = await send(scope);
    expect(second < first.id).toBeTrue();
    expect(await pendingIds(scope)).toEqual([first.id, second]);
    expect(await pendingIds(scope, 1)).toEqual([first.id]);
    await stage.database.owner`update messages set broadcast_id = ${uuidv7()} where id = ${first.id}`;
    expect(await pendingIds(scope)).toEqual([first.id, second]);
    await recordSendResults(scope, [
      {
        id: first.id,
        status: "retry",
        next_attempt_at: inMs(60_000),
        error_code: "timeout",
        error_message: "no answer",
      },
    ]);
    expect(await pendingIds(scope)).toEqual([]);
  });

  test("blocks a chat behind a message that backs off", async () => {
    const scope = await createBusiness(stage.database.db);
    const [first, elsewhere, second] = [
      await send(scope, "1@g.us"),
      await send(scope, "2@g.us"),
      await send(scope, "1@g.us"),
    ];
    await recordSendResults(scope, [
      { id: first, status: "retry", next_attempt_at: inMs(60_000), error_code: "timeout", error_message: "no answer" },
    ]);
    expect(await pendingIds(scope)).toEqual([elsewhere]);
    await stage.database
      .owner`update messages set next_attempt_at = date_trunc('milliseconds', now()) where id = ${first}`;
    expect(await pendingIds(scope)).toEqual([first, elsewhere, second]);
    expect(await getMessage(scope, first)).toMatchObject({ attempts: 1, status: "queued", error_code: "timeout" });
  });

  test("claims the other outbox's messages only in front", async () => {
    const scope = await createBusiness(stage.database.db);
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
      if (ofBroadcast) await stage.database.owner`update messages set broadcast_id = ${broadcast} where id = ${id}`;
      ids.push(id);
    }
    const places = async (ofBroadcasts: boolean, limit = 50) =>
      (await pendingMessages(scope, { limit, ofBroadcasts })).messages.map(({ id }) => ids.indexOf(id));
    expect(await places(false)).toEqual([0, 1, 2, 5]);
    expect(await places(true)).toEqual([0, 1, 3, 4]);
    expect(await places(true, 2)).toEqual([0, 1]);
  });

  test("claims a broadcast's paced messages with urgent ones", async () => {
    const scope = await createBusiness(stage.database.db);
    const broadcast = uuidv7();
    const release = async () => {
      const id = await send(scope);
      await stage.database.owner`update messages set broadcast_id = ${broadcast} where id = ${id}`;
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

  test("keeps held messages from pace changes and broadcast steps", async () => {
    const scope = await createBusiness(stage.database.db);
    const held = await send(scope);
    const broadcast = await runningWith(stage, scope, held);
    const urgent = await send(scope);
    await recordSendResults(scope, [{ id: held, status: "paced", next_attempt_at: inMs(3_600_000) }]);
    await changeBroadcastStatus(scope, broadcast, "pause");
    expect(await pendingIds(scope)).toEqual([urgent]);
    await setPacing(scope, { messages_per_minute: 30 });
    expect(await releaseBroadcast(scope, broadcast)).toBe(0);
    expect(await pendingIds(scope)).toEqual([urgent]);
    expect((await pendingMessages(scope, { limit: 50, ofBroadcasts: true })).messages).toEqual([]);
    await changeBroadcastStatus(scope, broadcast, "resume");
    await beginBroadcast(scope, broadcast);
    expect(await releaseBroadcast(scope, broadcast)).toBe(1);
    expect(await pendingIds(scope)).toEqual([held, urgent]);
  });

  test("keeps messages that the previous version holds", async () => {
    const scope = await createBusiness(stage.database.db);
    const held = await send(scope);
    const broadcast = await runningWith(stage, scope, held);
    const urgent = await send(scope);
    await recordSendResults(scope, [{ id: held, status: "paced", next_attempt_at: inMs(3_600_000) }]);
    // A pause by a process of that version leaves wait_reason as it is.
    await changeBroadcastStatus(scope, broadcast, "pause");
    await stage.database.owner`
      update messages set next_attempt_at = '9999-01-01', wait_reason = 'pacing' where id = ${held}`;
    expect(await pendingIds(scope)).toEqual([urgent]);
    await setPacing(scope, { messages_per_minute: 30 });
    expect(await pendingIds(scope)).toEqual([urgent]);
    await stage.database.owner`update messages set wait_reason = null where id = ${held}`;
    expect(await pendingIds(scope)).toEqual([urgent]);
    await changeBroadcastStatus(scope, broadcast, "resume");
    await beginBroadcast(scope, broadcast);
    expect(await releaseBroadcast(scope, broadcast)).toBe(1);
    expect(await pendingIds(scope)).toEqual([held, urgent]);
  });

  test("releases no message past a concurrent pause", async () => {
    const scope = await createBusiness(stage.database.db);
    const broadcast = await runningWith(stage, scope, await send(scope));
    await holdBroadcast(scope, broadcast);
    const [released] = await atomically(scope, async (inner) => {
      await changeBroadcastStatus(inner, broadcast, "pause");
      const releasing = releaseBroadcast(scope, broadcast);
      await until(
        async () =>
          (
            await stage.database.owner`
            select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
          ).length > 0,
        { what: "a lock to be waited for" },
      );
      // Boxed: it ends only after this.
      return [releasing];
    });
    expect(await released).toBe(0);
  });

  test("leaves expired messages of the other outbox alone", async () => {
    const scope = await createBusiness(stage.database.db);
    const id = await send(scope);
    await stage.database.owner`
    update messages set broadcast_id = ${uuidv7()}, expires_at = now() - interval '1 second' where id = ${id}`;
    expect(await pendingMessages(scope, { limit: 50 })).toEqual({ messages: [], expired: [] });
    expect((await pendingMessages(scope, { limit: 50, ofBroadcasts: true })).expired).toMatchObject([{ id }]);
  });

  test("fails an expired message and frees its chat", async () => {
    const scope = await createBusiness(stage.database.db);
    const [expired, next] = [await send(scope), await send(scope)];
    await stage.database.owner`
    update messages set expires_at = now() - interval '1 second', next_attempt_at = date_trunc('milliseconds',
      now()) + interval '1 hour' where id = ${expired}`;
    const pending = await pendingMessages(scope, { limit: 50 });
    expect(pending.messages.map(({ id }) => id)).toEqual([next]);
    expect(pending.expired).toMatchObject([
      { id: expired, before: "queued", status: "failed", failed_at: expect.any(Date) },
    ]);
    expect(await getMessage(scope, expired)).toMatchObject({ status: "failed", error_code: "expired" });
  });
});
