import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { uuidv7, uuidv7Floor, whatsappMessageId } from "../../core/ids.ts";
import { createBusiness } from "../../testing/business.ts";
import { createMigratedDatabase } from "../../testing/database.ts";
import type { MigratedDatabase } from "../../testing/database.ts";
import { storeInbound } from "../../testing/inbound.ts";
import {
  assignInboundIds,
  completeInbound,
  deleteBusiness,
  forPlatform,
  getMessage,
  listMessages,
  submitMessage,
} from "../index.ts";
import type { BusinessScope, InboundMessage, PlatformScope } from "../index.ts";

let database: MigratedDatabase;
let scope: BusinessScope;
let platform: PlatformScope;
beforeAll(async () => {
  database = await createMigratedDatabase();
  platform = forPlatform(database.db);
  scope = await createBusiness(database.db);
});
afterAll(() => database.close());

let serial = 0;
const inbound = (changes: Partial<InboundMessage> = {}): InboundMessage => ({
  business_id: scope.businessId,
  wa_message_id: `WA${++serial}`,
  chat: "5511900000002@s.whatsapp.net",
  sender: "5511900000002@s.whatsapp.net",
  from_me: false,
  push_name: "Ana",
  at: new Date(),
  type: "text",
  text: "hello",
  ...changes,
});

describe("inbound messages", () => {
  test("ignore redeliveries", async () => {
    const message = inbound();
    const inserted = await storeInbound(platform, [message, message]);
    expect(inserted).toHaveLength(1);
    expect(await storeInbound(platform, [message, inbound()])).toHaveLength(1);
    expect(await getMessage(scope, inserted[0]!.id)).toMatchObject({
      direction: "inbound",
      status: "delivered",
      chat: message.chat,
      sender: message.sender,
      push_name: "Ana",
      text: "hello",
      sent_at: message.at,
      attempts: 0,
    });
  });

  test("keep the order of arrival within a second", async () => {
    const at = new Date("2025-11-03T10:00:00Z");
    const chat = "5511900000077@s.whatsapp.net";
    const messages = Array.from({ length: 60 }, (_, n) => inbound({ at, chat, sender: chat, text: `${n}` }));
    await storeInbound(platform, messages.slice(0, 25));
    await storeInbound(platform, messages.slice(20, 45));
    await storeInbound(platform, messages.slice(40));
    const listed = await listMessages(scope, { chat, limit: 100 });
    expect(listed.map(({ text }) => text).toReversed()).toEqual(messages.map(({ text }) => text!));
    expect(listed.every(({ sent_at }) => sent_at?.getTime() === at.getTime())).toBeTrue();
  });

  test("keep their order past the second's last millisecond", async () => {
    const at = new Date("2025-11-03T11:00:00Z");
    const chat = "5511900000078@s.whatsapp.net";
    const id = uuidv7Floor(at.getTime() + 999);
    await submitMessage(scope, { id, chat, type: "text" as const, text: "ours", wa_message_id: whatsappMessageId(id) });
    const messages = Array.from({ length: 40 }, (_, n) => inbound({ at, chat, sender: chat, text: `${n}` }));
    await storeInbound(platform, messages.slice(0, 15));
    await storeInbound(platform, messages.slice(10));
    const listed = await listMessages(scope, { chat, limit: 100 });
    expect(listed.map(({ text }) => text).toReversed()).toEqual(["ours", ...messages.map(({ text }) => text!)]);
  });

  test("may share a WhatsApp id across chats", async () => {
    const message = inbound();
    expect(await storeInbound(platform, [message, { ...message, chat: "1-2@g.us" }])).toHaveLength(2);
  });

  test("are one across WhatsApp's seconds", async () => {
    const at = new Date("2025-11-03T12:00:00Z");
    const later = new Date(at.getTime() + 90_000);
    const without = inbound({ at, type: "unavailable", text: null });
    const [row] = await storeInbound(platform, [without]);
    const content = { ...without, at: later, type: "text", text: "the first word" };
    expect(await assignInboundIds(platform, [content])).toMatchObject({ fresh: [], completing: [{ id: row!.id, at }] });
    await completeInbound(platform, (await assignInboundIds(platform, [content])).completing);
    expect(await storeInbound(platform, [content, without, { ...without, at: later }])).toEqual([]);
    expect(await getMessage(scope, row!.id)).toMatchObject({ type: "text", text: "the first word", sent_at: at });
  });

  test("keep the first time within one batch", async () => {
    const at = new Date("2025-11-03T12:00:00Z");
    const without = inbound({ at, type: "unavailable", text: null });
    const content = { ...without, at: new Date(at.getTime() + 90_000), type: "text", text: "the first word" };
    const [row] = await storeInbound(platform, [without, content]);
    expect(await getMessage(scope, row!.id)).toMatchObject({ type: "text", text: "the first word", sent_at: at });
  });

  test("are found behind hundreds of other chats", async () => {
    const at = new Date("2025-11-03T14:00:00Z");
    const message = inbound({ at, chat: "me@lid", sender: "me@lid" });
    const flood = Array.from({ length: 300 }, (_, n) => ({
      ...message,
      chat: `${n}@lid`,
      sender: `${n}@lid`,
      at: new Date(at.getTime() - 2_000 * (n + 1)),
    }));
    await storeInbound(platform, [...flood, message]);
    expect(await storeInbound(platform, [{ ...message, at: new Date(at.getTime() + 90_000) }])).toEqual([]);
  });

  test("share an id across senders and months", async () => {
    const at = new Date("2025-11-03T12:00:00Z");
    const message = inbound({ at, chat: "1-2@g.us", sender: "1@lid" });
    expect(await storeInbound(platform, [message])).toHaveLength(1);
    const later = new Date(at.getTime() + 30 * 86_400_000);
    const others = [
      { ...message, sender: "2@lid" },
      { ...message, at: later },
    ];
    for (const other of others) expect(await storeInbound(platform, [other])).toHaveLength(1);
  });

  test("are stored once among hundreds of the same id", async () => {
    const at = new Date("2025-11-03T13:00:00Z");
    const message = inbound({ at, chat: "1-2@g.us", sender: "me@lid" });
    const flood = Array.from({ length: 300 }, (_, n) => ({ ...message, sender: `${n}@lid`, at: new Date(+at - n) }));
    await storeInbound(platform, [...flood, message]);
    expect(await storeInbound(platform, [...flood, message])).toEqual([]);
  });

  test("from the own phone are outbound, without echoes", async () => {
    const id = uuidv7();
    const ours = {
      id,
      chat: "1@s.whatsapp.net",
      type: "text" as const,
      text: "x",
      wa_message_id: whatsappMessageId(id),
    };
    await submitMessage(scope, ours);
    const inserted = await storeInbound(platform, [
      inbound({ from_me: true, wa_message_id: ours.wa_message_id }),
      inbound({ from_me: true }),
    ]);
    expect(inserted).toHaveLength(1);
    expect(inserted[0]).toMatchObject({ direction: "outbound" });
    expect(await getMessage(scope, inserted[0]!.id)).toMatchObject({ status: "sent", delivered_at: null });
  });

  test("of deleted businesses are skipped", async () => {
    const gone = await createBusiness(database.db);
    await deleteBusiness(gone);
    const batch = [inbound({ business_id: gone.businessId }), inbound({ business_id: uuidv7() }), inbound()];
    expect(await storeInbound(platform, batch)).toHaveLength(1);
    expect(await storeInbound(platform, [])).toEqual([]);
  });

  test("are stored in the partition of their month", async () => {
    const [old, recent] = await storeInbound(platform, [inbound(), inbound({ at: new Date("2009-05-03T00:00:00Z") })]);
    const now = new Date();
    const month = `messages_${now.getUTCFullYear()}_${String(now.getUTCMonth() + 1).padStart(2, "0")}`;
    const partitionOf = async (id: string) =>
      (
        await database.owner<
          [{ partition: string }]
        >`select tableoid::regclass::text as partition from messages where id = ${id}`
      )[0].partition;
    expect(await partitionOf(recent!.id)).toBe(month);
    expect(await partitionOf(old!.id)).toBe("messages_default");
  });

  test("preserve any script, quotes and line breaks", async () => {
    const text = `"quoted" 'and' \\ back\n\t\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467} अभिनंदन שלום {"json": [1]}`;
    const [row] = await storeInbound(platform, [inbound({ text })]);
    expect(await getMessage(scope, row!.id)).toMatchObject({ text });
  });

  test("replace characters that Postgres cannot hold", async () => {
    const rows = await storeInbound(platform, [inbound({ text: "a\u0000b\ud800c", push_name: "\udc00" }), inbound()]);
    expect(rows).toHaveLength(2);
    expect(await getMessage(scope, rows[0]!.id)).toMatchObject({ text: "a\uFFFDb\uFFFDc", push_name: "\uFFFD" });
  });
});

describe("listing messages", () => {
  test("includes inbound messages", async () => {
    const business = await createBusiness(database.db);
    await storeInbound(platform, [inbound({ business_id: business.businessId })]);
    expect(await listMessages(business, { direction: "inbound", limit: 10 })).toHaveLength(1);
  });
});
