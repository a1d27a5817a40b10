import { beforeAll, describe, expect, test } from "bun:test";
import { uuidv7, whatsappMessageId } from "../../core/ids.ts";
import { createBusiness } from "../../testing/business.ts";
import { applyGroupReceipts, forPlatform, getMessage, recordSendResults, submitMessage } from "../index.ts";
import type { BusinessScope, GroupReceipt, PlatformScope } from "../index.ts";
import { useDatabase } from "../testing/outbox.ts";

const stage = useDatabase();
let scope: BusinessScope;
let platform: PlatformScope;
beforeAll(async () => {
  platform = forPlatform(stage.database.db);
  scope = await createBusiness(stage.database.db);
});

const send = async (recipients?: number) => {
  const id = uuidv7();
  const wa_message_id = whatsappMessageId(id);
  await submitMessage(scope, { id, chat: "120363000000000001@g.us", type: "text", text: "to all", wa_message_id });
  if (recipients !== undefined) await recordSendResults(scope, [{ id, status: "sent", at: at(1), recipients }]);
  return id;
};
const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
const receipt = (
  id: string,
  member: string,
  status: GroupReceipt["status"],
  second: number,
  recipients: number | null = null,
): GroupReceipt => ({
  business_id: scope.businessId,
  wa_message_id: whatsappMessageId(id),
  member: `${member}@lid`,
  status,
  at: at(second),
  recipients,
});
const counts = async (id: string) => {
  const row = (await getMessage(scope, id))!;
  return [row.status, row.group_delivered, row.group_read, row.group_recipients];
};

describe("applyGroupReceipts", () => {
  test("reaches a status once all members have", async () => {
    const id = await send(2);
    expect(await applyGroupReceipts(platform, [receipt(id, "1", "read", 2)])).toEqual([]);
    expect(await counts(id)).toEqual(["sent", 1, 1, 2]);
    expect(await applyGroupReceipts(platform, [receipt(id, "2", "delivered", 5)])).toMatchObject([
      { id, before: "sent", status: "delivered", delivered_at: at(5), read_at: null },
    ]);
    expect(await applyGroupReceipts(platform, [receipt(id, "2", "read", 7)])).toMatchObject([
      { before: "delivered", status: "read", delivered_at: at(5), read_at: at(7) },
    ]);
    expect(await counts(id)).toEqual(["read", 2, 2, 2]);
  });

  test("counts a repeated receipt once", async () => {
    const id = await send(2);
    for (let n = 0; n < 3; n++)
      await applyGroupReceipts(platform, [receipt(id, "1", "delivered", 2 + n), receipt(id, "1", "delivered", 9)]);
    expect(await counts(id)).toEqual(["sent", 1, 0, 2]);
  });

  test("takes the number of members from a receipt", async () => {
    const id = await send();
    await applyGroupReceipts(platform, [receipt(id, "1", "delivered", 2, 1)]);
    expect(await counts(id)).toEqual(["delivered", 1, 0, 1]);
    await recordSendResults(scope, [{ id, status: "sent", at: at(1), recipients: 1 }]);
    expect(await counts(id)).toEqual(["delivered", 1, 0, 1]);
  });

  test("reaches no status while the members are unknown", async () => {
    const id = await send();
    await recordSendResults(scope, [{ id, status: "sent", at: at(1) }]);
    await applyGroupReceipts(platform, [receipt(id, "1", "read", 2)]);
    expect(await counts(id)).toEqual(["sent", 1, 1, null]);
  });

  test("counts concurrent receipts of one message", async () => {
    const id = await send(20);
    await Promise.all(
      Array.from({ length: 20 }, (_, n) => applyGroupReceipts(platform, [receipt(id, `${n}`, "delivered", n)])),
    );
    expect(await counts(id)).toEqual(["delivered", 20, 0, 20]);
  });

  test("ignores messages of other businesses", async () => {
    const id = await send(1);
    const other = await createBusiness(stage.database.db);
    await applyGroupReceipts(platform, [{ ...receipt(id, "1", "read", 2), business_id: other.businessId }]);
    expect(await counts(id)).toEqual(["sent", null, null, 1]);
  });
});
