import type { BinaryNode, WASocket } from "@whiskeysockets/baileys";
import { describe, expect, test } from "bun:test";
import { askAccounts } from "./ask_accounts.ts";

type Answered = { jid: string; pn_jid?: string };
type Query = Parameters<WASocket["executeUSyncQuery"]>[0];

/** A socket whose WhatsApp answers with these accounts; `answers` is false for a query without an answer. */
function answering(
  accounts: Record<string, Answered>,
  { repeats = true, answers = (_asked: string[]): boolean => true } = {},
) {
  const asked: string[][] = [];
  const user = (number: string): BinaryNode => {
    const account = accounts[number];
    const content = repeats ? Buffer.from(`+${number}`) : undefined;
    const contact: BinaryNode = {
      tag: "contact",
      attrs: { type: account ? "in" : "out" },
      ...(content ? { content } : {}),
    };
    return { tag: "user", attrs: account ?? { jid: `${number}@s.whatsapp.net` }, content: [contact] };
  };
  const socket = {
    executeUSyncQuery: async (query: Query) => {
      const numbers = query.users.map(({ phone }) => phone!.replace("+", ""));
      asked.push(numbers);
      if (!answers(numbers)) return undefined;
      const list: BinaryNode = { tag: "list", attrs: {}, content: numbers.map(user).toReversed() };
      const usync: BinaryNode = { tag: "usync", attrs: {}, content: [list] };
      return query.parseUSyncQueryResult({ tag: "iq", attrs: { type: "result" }, content: [usync] });
    },
  };
  return { socket: socket as unknown as WASocket, asked };
}

const accounts = {
  "5511987654321": { jid: "551187654321@s.whatsapp.net" },
  "491511234567": { jid: "491511234567@s.whatsapp.net" },
  "5521987654321": { jid: "552187654321@s.whatsapp.net" },
};
const numbers = ["5511987654321", "491511234567", "12025550000", "5521987654321"];
const expected = [
  ["5511987654321", "551187654321@s.whatsapp.net"],
  ["491511234567", "491511234567@s.whatsapp.net"],
  ["12025550000", null],
  ["5521987654321", "552187654321@s.whatsapp.net"],
] as const;

describe("accounts of numbers", () => {
  test("are matched by the number that WhatsApp repeats", async () => {
    const { socket, asked } = answering(accounts);
    expect(Object.fromEntries((await askAccounts(socket, numbers))!)).toEqual(Object.fromEntries(expected));
    expect(asked).toHaveLength(1);
  });

  test("are asked one by one if it repeats none", async () => {
    const { socket, asked } = answering(accounts, { repeats: false });
    expect(Object.fromEntries((await askAccounts(socket, numbers))!)).toEqual(Object.fromEntries(expected));
    expect(asked).toHaveLength(1 + 3);
  });

  test("are asked once for each number", async () => {
    const { socket, asked } = answering(accounts);
    await askAccounts(socket, [numbers[0]!, numbers[0]!]);
    expect(asked).toEqual([[numbers[0]!]]);
  });

  test("are numbers, also if WhatsApp answers with LIDs", async () => {
    const byLid = {
      "5511987654321": { jid: "777@lid", pn_jid: "551187654321@s.whatsapp.net" },
      // Its digits are those of another number that was asked for.
      "491511234567": { jid: "12025550000@lid" },
    };
    for (const repeats of [true, false]) {
      const { socket } = answering(byLid, { repeats });
      expect(Object.fromEntries((await askAccounts(socket, numbers))!)).toEqual({
        "5511987654321": "551187654321@s.whatsapp.net",
        "491511234567": "491511234567@s.whatsapp.net",
        "12025550000": null,
        "5521987654321": null,
      });
    }
  });

  test("stay unknown if a single query gets no answer", async () => {
    const { socket } = answering(accounts, { repeats: false, answers: (asked) => asked.length > 1 });
    expect(await askAccounts(socket, numbers)).toBeUndefined();
  });

  test("are not asked for after the deadline", async () => {
    const { socket, asked } = answering(accounts, { repeats: false });
    expect(await askAccounts(socket, numbers, { deadlineMs: 0 })).toBeUndefined();
    expect(asked).toHaveLength(1);
  });
});
