import { describe, expect, test } from "bun:test";
import { receiptsOf } from "./receipts.ts";

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

  test("names the member of a group", () => {
    expect(receiptsOf(receipt({ from: "1@g.us", participant: "2:7@lid", type: "read" }), notOwn)).toEqual([
      { wa_message_id: "A", chat: "1@g.us", status: "read", at: 1_700_000_000_000, member: "2@lid" },
    ]);
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
