import { describe, expect, test } from "bun:test";
import { uuidv7, whatsappMessageId } from "../../core/ids.ts";
import { createBusiness } from "../../testing/business.ts";
import { storeInbound } from "../../testing/inbound.ts";
import { useBusiness } from "../../testing/use_business.ts";
import {
  addOptOut,
  learnNames,
  listMessages,
  listOptOuts,
  listUnmerged,
  rekeyMessages,
  removeOptOut,
  resolveChat,
  settleAlias,
  splitChats,
  submitMessage,
  unmergedAliases,
} from "../index.ts";
import type { InboundMessage } from "../index.ts";

const { database, platform, scope } = useBusiness();

const [number, spelling, lid] = ["5511987654321@s.whatsapp.net", "551187654321@s.whatsapp.net", "777@lid"];
const [at, later] = [new Date("2026-03-01T12:00:00Z"), new Date("2026-03-01T12:00:05Z")];
const inbound = (chat: string, wa_message_id: string, changes: Partial<InboundMessage> = {}): InboundMessage => ({
  business_id: scope().businessId,
  wa_message_id,
  chat,
  sender: chat,
  from_me: false,
  at,
  type: "text",
  text: wa_message_id,
  ...changes,
});
const learn = (...pairs: [alias: string, chat: string][]) =>
  learnNames(
    platform(),
    pairs.map(([alias, chat]) => ({ business_id: scope().businessId, alias, chat })),
  );
const chats = async () => {
  const listed = await listMessages(scope(), { limit: 100 });
  return listed.map(({ chat, sender, text }) => [text, chat, sender]).toReversed();
};
const merge = async () => {
  const merged = [];
  for (const name of await unmergedAliases(scope(), 10)) {
    while ((await rekeyMessages(scope(), name, { limit: 2 })) > 0);
    merged.push(await settleAlias(scope(), name));
  }
  return merged;
};

describe("names of one account", () => {
  test("lead to one chat, also through each other", async () => {
    expect(await learn([lid, spelling])).toEqual([scope().businessId]);
    await learn([spelling, number]);
    for (const name of [number, spelling, lid]) expect(await resolveChat(scope(), name)).toBe(number);
    expect(await learn([lid, number])).toEqual([]);
  });

  test("are of one business alone", async () => {
    await learn([lid, number]);
    const other = await createBusiness(database().db);
    expect(await resolveChat(other, lid)).toBe(lid);
  });

  test("never make a loop", async () => {
    await learn([spelling, number], [number, spelling]);
    expect(await resolveChat(scope(), number)).toBe(spelling);
    expect(await resolveChat(scope(), spelling)).toBe(spelling);
  });

  test("follow a person to a new number", async () => {
    await learn([lid, number]);
    await storeInbound(platform(), [inbound(number, "before")]);
    await addOptOut(scope(), lid);
    const next = "5511900000009@s.whatsapp.net";
    await learn([lid, next]);
    await storeInbound(platform(), [inbound(lid, "after", { at: later })]);
    await merge();
    expect(await chats()).toEqual([
      ["before", number, number],
      ["after", next, next],
    ]);
    expect((await listOptOuts(scope(), { after: "", limit: 10 })).map(({ chat }) => chat)).toEqual([next, number]);
  });

  describe("that arrive late", () => {
    const next = "5511900000009@s.whatsapp.net";
    const learnAt = (time: Date | undefined, alias: string, chat: string) =>
      learnNames(platform(), [{ business_id: scope().businessId, alias, chat, ...(time && { at: time }) }]);

    test("never replace newer ones", async () => {
      await learnAt(later, lid, next);
      expect(await learnAt(at, lid, number)).toEqual([]);
      expect(await resolveChat(scope(), lid)).toBe(next);
      expect(await learnAt(new Date(later.getTime() + 1), lid, number)).toEqual([scope().businessId]);
      expect(await resolveChat(scope(), lid)).toBe(number);
    });

    test("never replace one confirmed since", async () => {
      const confirmed = new Date(later.getTime() + 7_200_000);
      await learnAt(at, lid, number);
      expect(await learnAt(confirmed, lid, number)).toEqual([]);
      expect(await learnAt(new Date(confirmed.getTime() - 1), lid, next)).toEqual([]);
      expect(await resolveChat(scope(), lid)).toBe(number);
      expect(await learnAt(new Date(confirmed.getTime() + 1), lid, next)).toEqual([scope().businessId]);
      expect(await resolveChat(scope(), lid)).toBe(next);
    });

    test("are confirmed by one write an hour", async () => {
      const version = async () => {
        const [row] = await database().owner<[{ xmin: string }]>`
          select xmin from chat_aliases where business_id = ${scope().businessId} and alias = ${lid}`;
        return row.xmin;
      };
      await learnAt(at, lid, number);
      const first = await version();
      await learnAt(new Date(at.getTime() + 3_500_000), lid, number);
      expect(await version()).toBe(first);
      await learnAt(new Date(at.getTime() + 3_700_000), lid, number);
      expect(await version()).not.toBe(first);
    });

    test("lead to the chat that is known since", async () => {
      await learnAt(later, spelling, number);
      await learnAt(at, lid, spelling);
      for (const name of [lid, spelling]) expect(await resolveChat(scope(), name)).toBe(number);
    });

    test("without a time are current", async () => {
      const earlier = Date.now() - 1_000;
      await learnAt(new Date(earlier), lid, number);
      await learnAt(undefined, lid, next);
      expect(await resolveChat(scope(), lid)).toBe(next);
      await learnAt(new Date(earlier + 1), lid, number);
      expect(await resolveChat(scope(), lid)).toBe(next);
    });

    test("count as current from a clock that is ahead", async () => {
      await learnAt(new Date(Date.now() + 3_600_000), lid, number);
      await learnAt(undefined, lid, next);
      expect(await resolveChat(scope(), lid)).toBe(next);
    });
  });

  test("are skipped for an unknown business", async () => {
    expect(await learnNames(platform(), [{ business_id: uuidv7(), alias: lid, chat: number }])).toEqual([]);
  });
});

describe("messages", () => {
  test("are stored once under either name", async () => {
    await storeInbound(platform(), [inbound(lid, "one")]);
    await learn([lid, number]);
    expect(
      await storeInbound(platform(), [inbound(number, "one"), inbound(lid, "one"), inbound(lid, "two", { at: later })]),
    ).toHaveLength(1);
    await merge();
    expect(await storeInbound(platform(), [inbound(number, "one"), inbound(lid, "two", { at: later })])).toEqual([]);
    expect((await chats()).map(([text, chat]) => [text, chat])).toEqual([
      ["one", number],
      ["two", number],
    ]);
  });

  test("of a group are stored once per member", async () => {
    const group = "120363000000000001@g.us";
    await storeInbound(platform(), [inbound(group, "one", { sender: lid })]);
    await learn([lid, number]);
    expect(await storeInbound(platform(), [inbound(group, "one", { sender: number })])).toEqual([]);
    expect(await storeInbound(platform(), [inbound(group, "one", { sender: spelling })])).toHaveLength(1);
  });

  test("are merged in bounded batches, once", async () => {
    await storeInbound(
      platform(),
      ["a", "b", "c", "d", "e"].map((text, n) => inbound(lid, text, { at: new Date(at.getTime() + n * 1000) })),
    );
    expect(await splitChats(platform(), [scope().businessId])).toBe(0);
    await learn([lid, number]);
    expect(await splitChats(platform(), [scope().businessId])).toBe(1);
    expect(await listUnmerged(platform(), { after: undefined, limit: 1_000 })).toContain(scope().businessId);
    expect(await merge()).toEqual([{ alias: lid, chat: number, rekeyed: 5 }]);
    expect(await splitChats(platform(), [scope().businessId])).toBe(0);
    expect(await merge()).toEqual([]);
    expect((await chats()).map(([text]) => text)).toEqual(["a", "b", "c", "d", "e"]);
    expect((await listMessages(scope(), { chat: lid, limit: 10 })).length).toBe(5);
  });

  test("written during a merge are merged later", async () => {
    await learn([lid, number]);
    await merge();
    await database().owner`
      insert into messages (id, business_id, direction, chat, sender, type, text, wa_message_id, status)
      values (${uuidv7()}, ${scope().businessId}, 'inbound', ${lid}, ${lid}, 'text', 'late', 'late', 'delivered')`;
    await database().owner`update chat_aliases set learned_at = now() - interval '1 hour'
      where business_id = ${scope().businessId}`;
    expect(await listUnmerged(platform(), { after: undefined, limit: 1_000 })).toContain(scope().businessId);
    await merge();
    expect(await chats()).toEqual([["late", number, number]]);
    expect(await listUnmerged(platform(), { after: undefined, limit: 1_000 })).not.toContain(scope().businessId);
  });

  test("are submitted to the account's chat", async () => {
    await learn([spelling, number]);
    const id = uuidv7();
    const message = { id, chat: spelling, type: "text", text: "hello", wa_message_id: whatsappMessageId(id) };
    await submitMessage(scope(), message, { knownPaired: true });
    expect(await chats()).toEqual([["hello", number, null]]);
  });
});

describe("opt-outs", () => {
  test("hold for every name of the account", async () => {
    await addOptOut(scope(), lid);
    await addOptOut(scope(), spelling);
    await learn([lid, number], [spelling, number]);
    const listed = await listOptOuts(scope(), { after: "", limit: 10 });
    expect(listed.map(({ chat }) => chat)).toEqual([number]);
    expect((await addOptOut(scope(), spelling))?.created_at).toEqual(listed[0]!.created_at);
    expect(await removeOptOut(scope(), lid)).toBeTrue();
    expect(await removeOptOut(scope(), number)).toBeFalse();
  });
});
