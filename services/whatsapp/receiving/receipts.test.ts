import { describe, expect, test } from "bun:test";
import type { BinaryNode } from "@whiskeysockets/baileys";
import { limitRetry, receiptsOf } from "./receipts.ts";

const notOwn = () => false;
const receipt = (attrs: Record<string, string>, items: string[] = []) => ({
  tag: "receipt",
  attrs: { id: "A", from: "4915112345678:2@s.whatsapp.net", t: "1700000000", ...attrs },
  content:
    items.length > 0
      ? [{ tag: "list", attrs: {}, content: items.map((id) => ({ tag: "item", attrs: { id } })) }]
      : undefined,
});

describe("receiptsOf", () => {
  test.each([
    [{}, "delivered"],
    [{ type: "inactive" }, "delivered"],
    [{ type: "read" }, "read"],
    [{ type: "played" }, "played"],
  ] as const)("maps a receipt %p to %s", (attrs, status) => {
    expect(receiptsOf(receipt(attrs), notOwn)).toEqual([
      { wa_message_id: "A", chat: "4915112345678@s.whatsapp.net", status, at: 1_700_000_000_000 },
    ]);
  });

  test("reads several ticks from one stanza", () => {
    const ids = receiptsOf(receipt({ type: "read" }, ["B", "C"]), notOwn).map((each) => each.wa_message_id);
    expect(ids).toEqual(["A", "B", "C"]);
  });

  test("ignores own devices, retries and stray members", () => {
    expect(receiptsOf(receipt({ type: "retry" }), notOwn)).toEqual([]);
    expect(receiptsOf(receipt({ type: "sender", recipient: "x@s.whatsapp.net" }), notOwn)).toEqual([]);
    expect(receiptsOf(receipt({}), () => true)).toEqual([]);
    expect(receiptsOf(receipt({ participant: "2@lid" }), notOwn)).toEqual([]);
    expect(receiptsOf(receipt({ from: "1@g.us" }), notOwn)).toEqual([]);
    expect(receiptsOf(receipt({ from: "1@g.us", participant: "2@lid" }), (jid) => jid === "2@lid")).toEqual([]);
  });

  test("ignores a delivery to a phone without LIDs", () => {
    const error = { tag: "error", attrs: { reason: "lid", type: "feature-incapable" } };
    expect(receiptsOf({ ...receipt({}), content: [error] }, notOwn)).toEqual([]);
    expect(receiptsOf({ ...receipt({ type: "read" }), content: [error] }, notOwn)).toHaveLength(1);
  });

  test("names the member of a group", () => {
    expect(receiptsOf(receipt({ from: "1@g.us", participant: "2:7@lid", type: "read" }), notOwn)).toEqual([
      { wa_message_id: "A", chat: "1@g.us", status: "read", at: 1_700_000_000_000, member: "2@lid" },
    ]);
  });

  describe("combined for several members", () => {
    const combined = (attrs: Record<string, string>, users: Record<string, string>[]) => ({
      ...receipt({ id: "S", from: "1@g.us", type: "read" }),
      content: [{ tag: "participants", attrs, content: users.map((user) => ({ tag: "user", attrs: user })) }],
    });
    const tick = <T extends object>(member: string, more: T) => ({
      wa_message_id: "A",
      chat: "1@g.us",
      member,
      ...more,
    });

    test("name each with its own time", () => {
      const named: Record<string, string>[] = [{ jid: "2@lid", t: "1700000001" }, { jid: "3:7@lid" }];
      const users = [...named, { t: "1700000002" }];
      expect(receiptsOf(combined({ key: "A" }, users), notOwn)).toEqual([
        tick("2@lid", { status: "read" as const, at: 1_700_000_001_000 }),
        tick("3@lid", { status: "read" as const, at: 1_700_000_000_000 }),
      ]);
    });

    test("name each with its own kind", () => {
      const users = [
        { jid: "2@lid", type: "played" },
        { jid: "3@lid", type: "delivery" },
        { jid: "4@lid", type: "retry" },
      ];
      expect(receiptsOf(combined({ message_id: "A" }, users), notOwn)).toMatchObject([
        tick("2@lid", { status: "played" as const }),
        tick("3@lid", { status: "delivered" as const }),
      ]);
    });

    test("ignore own devices and ids that no phone creates", () => {
      expect(receiptsOf(combined({ key: "A" }, [{ jid: "2@lid" }]), () => true)).toEqual([]);
      expect(receiptsOf(combined({ key: "x".repeat(1_000_000) }, [{ jid: "2@lid" }]), notOwn)).toEqual([]);
      expect(receiptsOf(combined({}, [{ jid: "2@lid" }]), notOwn)).toEqual([]);
    });
  });

  test("uses our clock for recent ticks only", () => {
    const now = 1_700_000_000_900;
    expect(receiptsOf(receipt({}), notOwn, now)[0]?.at).toBe(now);
    expect(receiptsOf(receipt({}), notOwn, now + 60_000)[0]?.at).toBe(1_700_000_000_000);
    for (const t of ["1e300", "-1", "x"]) expect(receiptsOf(receipt({ t }), notOwn, now)[0]?.at).toBe(now);
  });

  test("ignores ids that no phone creates", () => {
    const ids = receiptsOf(receipt({}, ["B", "x".repeat(1_000_000)]), notOwn).map((each) => each.wa_message_id);
    expect(ids).toEqual(["A", "B"]);
  });
});

describe("a retry receipt", () => {
  const retry = (ids: string[]) => ({
    tag: "receipt",
    attrs: { id: "A", from: "1@lid", type: "retry" },
    content: [
      { tag: "retry", attrs: { id: "A" }, content: ids.map((id) => ({ tag: "item", attrs: { id } })) },
      { tag: "keys", attrs: {}, content: [{ tag: "type", attrs: {} }] },
    ] as BinaryNode[],
  });
  const limited = (ids: string[]) => {
    const receipt = retry(ids);
    limitRetry(receipt);
    expect(receipt.content[1]).toEqual(retry([]).content[1]);
    return (receipt.content[0]!.content as BinaryNode[]).map(({ attrs }) => attrs["id"]);
  };

  test("names each message once", () => {
    expect(limited(["A", "B", "B", "A", "C"])).toEqual(["B", "C"]);
  });

  test("names 32 messages at most", () => {
    expect(limited(Array.from({ length: 10_000 }, (_, n) => `M${n}`))).toHaveLength(31);
  });
});
