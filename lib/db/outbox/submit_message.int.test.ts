import { describe, expect, test } from "bun:test";
import { uuidv7 } from "../../core/ids.ts";
import { createBusiness } from "../../testing/business.ts";
import { sql } from "../client/literal.ts";
import { atomically, deleteBusiness, forBusiness, getMessage, listMessages, submitMessage } from "../index.ts";
import { idempotent, newMessage, send, useDatabase } from "../testing/outbox.ts";

const stage = useDatabase();

describe("submitMessage", () => {
  test("stores one of twenty concurrent requests with a key", async () => {
    const scope = await createBusiness(stage.database.db);
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

  test("makes a message due at once", async () => {
    const scope = await createBusiness(stage.database.db);
    // A time that is rounded up is not due in about half of the cases.
    for (let n = 0; n < 20; n++) {
      const due = await atomically(scope, async (inside) => {
        const message = newMessage();
        await submitMessage(inside, message);
        const [row] = await inside.ask<[{ due: boolean }]>(
          sql`select next_attempt_at <= now() as due from messages where id = ${message.id}`,
        );
        return row.due;
      });
      expect(due).toBeTrue();
    }
  });

  test("refuses a key that another request used", async () => {
    const scope = await createBusiness(stage.database.db);
    const [first, second] = [newMessage(), newMessage()];
    await submitMessage(scope, first, { idempotency: idempotent("k", "one", first.id) });
    expect(await submitMessage(scope, second, { idempotency: idempotent("k", "other", second.id) })).toEqual({
      outcome: "mismatched",
    });
    expect(await listMessages(scope, { limit: 50 })).toHaveLength(1);
  });

  test("frees a key after its expiry", async () => {
    const scope = await createBusiness(stage.database.db);
    const [first, second] = [newMessage(), newMessage()];
    await submitMessage(scope, first, { idempotency: idempotent("k", "one", first.id) });
    await stage.database.owner`
    update idempotency_keys set expires_at = now() - interval '1 second' where business_id = ${scope.businessId}`;
    expect(await submitMessage(scope, second, { idempotency: idempotent("k", "other", second.id) })).toEqual({
      outcome: "accepted",
    });
    expect(await submitMessage(scope, newMessage(), { idempotency: idempotent("k", "other", "") })).toMatchObject({
      outcome: "replayed",
      response: { id: second.id },
    });
  });

  test("separates the keys of two businesses", async () => {
    for (const scope of [await createBusiness(stage.database.db), await createBusiness(stage.database.db)]) {
      const message = newMessage();
      expect(await submitMessage(scope, message, { idempotency: idempotent("k", "same", message.id) })).toEqual({
        outcome: "accepted",
      });
    }
  });

  test("refuses an unpaired business unless its shard confirms it", async () => {
    const scope = await createBusiness(stage.database.db, { paired: false });
    const message = newMessage();
    const idempotency = idempotent("k", "same", message.id);
    expect(await submitMessage(scope, message, { idempotency })).toEqual({ outcome: "unpaired", whatsapp_shard: null });
    expect(await submitMessage(scope, message, { idempotency, knownPaired: true })).toEqual({ outcome: "accepted" });
  });

  test("replays an answer after the business is unpaired", async () => {
    const scope = await createBusiness(stage.database.db);
    const message = newMessage();
    const idempotency = idempotent("k", "same", message.id);
    await submitMessage(scope, message, { idempotency });
    await stage.database.owner`update whatsapp_sessions set paired = false where business_id = ${scope.businessId}`;
    expect(await submitMessage(scope, newMessage(), { idempotency })).toMatchObject({
      outcome: "replayed",
      response: { id: message.id },
    });
  });

  test("refuses a business that does not exist", async () => {
    expect(await submitMessage(forBusiness(stage.database.db, uuidv7()), newMessage())).toEqual({
      outcome: "unknown_business",
    });
    const scope = await createBusiness(stage.database.db);
    const id = await send(scope);
    expect(await deleteBusiness(scope)).toBeTrue();
    expect(await deleteBusiness(scope)).toBeFalse();
    expect(await submitMessage(scope, newMessage(), { knownPaired: true })).toEqual({ outcome: "unknown_business" });
    expect(await getMessage(scope, id)).toMatchObject({ status: "failed", error_code: "business_deleted" });
  });
});
