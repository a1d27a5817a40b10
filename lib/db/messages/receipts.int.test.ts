import { beforeAll, describe, expect, test } from "bun:test";
import { uuidv7, whatsappMessageId } from "../../core/ids.ts";
import { createBusiness } from "../../testing/business.ts";
import { applyReceipts, forPlatform, getMessage, recordSendResults, submitMessage } from "../index.ts";
import type { BusinessScope, Message, PlatformScope, Receipt } from "../index.ts";
import { useDatabase } from "../testing/outbox.ts";

const stage = useDatabase();
let scope: BusinessScope;
let platform: PlatformScope;
beforeAll(async () => {
  platform = forPlatform(stage.database.db);
  scope = await createBusiness(stage.database.db);
});

const send = async () => {
  const id = uuidv7();
  await submitMessage(scope, {
    id,
    chat: "1@s.whatsapp.net",
    type: "text",
    text: "hello",
    wa_message_id: whatsappMessageId(id),
  });
  return id;
};
const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
const receipt = (id: string, status: Receipt["status"], second: number, error_code?: string): Receipt => ({
  business_id: scope.businessId,
  wa_message_id: whatsappMessageId(id),
  status,
  at: at(second),
  ...(status === "failed" ? { error_code: error_code ?? "463", error_message: "refused" } : {}),
});
const outcome = ({
  status,
  sent_at,
  delivered_at,
  read_at,
  played_at,
  failed_at,
  error_code,
  next_attempt_at,
}: Message) => ({
  status,
  sent_at,
  delivered_at,
  read_at,
  played_at,
  failed_at,
  error_code,
  next_attempt_at,
});

/** A small generator of our own, so that a failing seed can be run again. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function shuffled<T>(items: readonly T[], next: () => number): T[] {
  const copy = [...items];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [copy[i], copy[j]] = [copy[j]!, copy[i]!];
  }
  return copy;
}

describe("applyReceipts", () => {
  test("is commutative and idempotent", async () => {
    const next = random(7);
    const kinds = (id: string) => [
      receipt(id, "sent", 1),
      receipt(id, "failed", 2, "first"),
      receipt(id, "failed", 6, "second"),
      receipt(id, "delivered", 3),
      receipt(id, "delivered", 9),
      receipt(id, "read", 4),
      receipt(id, "played", 5),
    ];
    for (let subset = 1; subset < 2 ** 7; subset += 3) {
      const outcomes = [];
      for (let round = 0; round < 4; round++) {
        const id = await send();
        const chosen = kinds(id).filter((_, bit) => subset & (1 << bit));
        const order = shuffled([...chosen, ...shuffled(chosen, next).slice(0, 2)], next);
        while (order.length > 0) await applyReceipts(platform, order.splice(0, 1 + Math.floor(next() * order.length)));
        outcomes.push(outcome((await getMessage(scope, id))!));
      }
      expect(outcomes, `subset ${subset}`).toEqual(Array(4).fill(outcomes[0]));
    }
  });

  test("implies lower receipts", async () => {
    const id = await send();
    await applyReceipts(platform, [receipt(id, "read", 8)]);
    expect(await getMessage(scope, id)).toMatchObject({
      status: "read",
      sent_at: at(8),
      delivered_at: at(8),
      read_at: at(8),
      played_at: null,
    });
    await applyReceipts(platform, [receipt(id, "delivered", 5)]);
    expect(await getMessage(scope, id)).toMatchObject({
      status: "read",
      sent_at: at(5),
      delivered_at: at(5),
      read_at: at(8),
    });
  });

  test("fails a refused message until a later receipt", async () => {
    const id = await send();
    await recordSendResults(scope, [{ id, status: "sent", at: at(1) }]);
    await applyReceipts(platform, [receipt(id, "failed", 2)]);
    expect(await getMessage(scope, id)).toMatchObject({ status: "failed", failed_at: at(2), error_code: "463" });
    await applyReceipts(platform, [receipt(id, "sent", 1)]);
    expect(await getMessage(scope, id)).toMatchObject({ status: "failed" });
    await applyReceipts(platform, [receipt(id, "delivered", 3)]);
    expect(await getMessage(scope, id)).toMatchObject({ status: "delivered" });
  });

  test("fails a message that is refused without a reason", async () => {
    const id = await send();
    await applyReceipts(platform, [{ ...receipt(id, "failed", 2), error_code: undefined, error_message: undefined }]);
    expect(await getMessage(scope, id)).toMatchObject({ status: "failed", error_code: "unknown" });
  });

  test("returns changed messages and counts unknown ones", async () => {
    const [first, second] = [await send(), await send()];
    const receipts = [receipt(first, "delivered", 1), receipt(second, "sent", 1), receipt(uuidv7(), "read", 1)];
    const applied = await applyReceipts(platform, receipts);
    expect(applied.unknown).toBe(1);
    expect(applied.changed.toSorted((a, b) => (a.id < b.id ? -1 : 1))).toMatchObject([
      {
        id: first,
        business_id: scope.businessId,
        chat: "1@s.whatsapp.net",
        before: "queued",
        status: "delivered",
        delivered_at: at(1),
      },
      {
        id: second,
        business_id: scope.businessId,
        chat: "1@s.whatsapp.net",
        before: "queued",
        status: "sent",
        delivered_at: null,
      },
    ]);
    expect(await applyReceipts(platform, receipts)).toEqual({ changed: [], unknown: 1 });
    expect(await applyReceipts(platform, [])).toEqual({ changed: [], unknown: 0 });
  });

  test("separates businesses with the same WhatsApp id", async () => {
    const id = await send();
    const other = await createBusiness(stage.database.db);
    await applyReceipts(platform, [{ ...receipt(id, "read", 1), business_id: other.businessId }]);
    expect(await getMessage(scope, id)).toMatchObject({ status: "queued" });
  });

  test("does not deadlock over rows in opposite orders", async () => {
    const ids = await Promise.all(Array.from({ length: 40 }, send));
    const statuses = ["delivered", "read", "played", "sent"] as const;
    await Promise.all(
      statuses.flatMap((status, n) => [
        applyReceipts(
          platform,
          (n % 2 ? ids : ids.toReversed()).map((id) => receipt(id, status, n)),
        ),
        recordSendResults(
          scope,
          (n % 2 ? ids.toReversed() : ids).map((id) => ({ id, status: "sent" as const, at: at(n) })),
        ),
      ]),
    );
    for (const id of ids) expect(await getMessage(scope, id)).toMatchObject({ status: "played", sent_at: at(0) });
  });
});
