import { describe, expect, test } from "bun:test";
import { whatsappMessageId } from "../../core/ids.ts";
import { createBusiness } from "../../testing/business.ts";
import { applyReceipts, forPlatform, getMessage, recordSendResults } from "../index.ts";
import { inMs, pendingIds, send, useDatabase } from "../testing/outbox.ts";

const stage = useDatabase();

describe("recordSendResults", () => {
  test("ignores a late paced result", async () => {
    const scope = await createBusiness(stage.database.db);
    const id = await send(scope);
    await recordSendResults(scope, [{ id, status: "sent", at: inMs(0) }]);
    await recordSendResults(scope, [{ id, status: "paced", next_attempt_at: inMs(3_600_000) }]);
    expect(await getMessage(scope, id)).toMatchObject({ status: "sent", error_code: null, next_attempt_at: null });
  });

  test("records the results of a batch together", async () => {
    const scope = await createBusiness(stage.database.db);
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

  test("keeps an earlier receipt and the time of sending", async () => {
    const scope = await createBusiness(stage.database.db);
    const id = await send(scope);
    const [sentAt, readAt] = [new Date("2026-01-01T00:00:00Z"), new Date("2026-01-01T00:00:05Z")];
    await applyReceipts(forPlatform(stage.database.db), [
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

  test("leaves other businesses' rows alone", async () => {
    const [scope, other] = [await createBusiness(stage.database.db), await createBusiness(stage.database.db)];
    const id = await send(other);
    expect(await recordSendResults(scope, [{ id, status: "sent", at: inMs(0) }])).toEqual([]);
    expect(await getMessage(other, id)).toMatchObject({ status: "queued" });
  });
});
