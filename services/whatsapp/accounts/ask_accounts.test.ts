import type { WASocket } from "@whiskeysockets/baileys";
import { describe, expect, test } from "bun:test";
import { askAccounts } from "./ask_accounts.ts";

type Answered = { id: string; asked?: string };

/** A socket whose WhatsApp answers with these accounts, as far as they were asked for. */
function answering(accounts: Record<string, Answered>, { repeats = true } = {}) {
  const asked: string[][] = [];
  const socket = {
    executeUSyncQuery: async ({ users, protocols }: Parameters<WASocket["executeUSyncQuery"]>[0]) => {
      const numbers = users.map(({ phone }) => phone!.replace("+", ""));
      asked.push(numbers);
      const list = numbers.flatMap((number) => {
        const account = accounts[number];
        const type = account ? "in" : "out";
        const content = repeats ? Buffer.from(`+${number}`) : undefined;
        const node = { tag: "contact", attrs: { type }, content };
        return [{ id: account?.id ?? `${number}@s.whatsapp.net`, contact: protocols[0]!.parser(node) }];
      });
      return { list: list.toReversed(), sideList: [] };
    },
  };
  return { socket: socket as unknown as WASocket, asked };
}

const accounts = {
  "5511987654321": { id: "551187654321@s.whatsapp.net" },
  "491511234567": { id: "491511234567@s.whatsapp.net" },
  "5521987654321": { id: "552187654321@s.whatsapp.net" },
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
});
