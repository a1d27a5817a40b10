import { beforeEach, describe, expect, test } from "bun:test";
import type { AccountName } from "../../../lib/contracts/shard/schemas.ts";
import { AccountBook } from "./account_book.ts";
import { announceKnown } from "./announce_known.ts";

const [number, spelling, lid] = ["5511987654321@s.whatsapp.net", "551187654321@s.whatsapp.net", "777@lid"];

let stored: Map<string, unknown>;
let learned: AccountName[];
let book: AccountBook;

/** Stores a pair as Baileys does; `mapped` is called before. */
const map = (user: string, phone: string) => {
  const entries = { [phone]: user, [`${user}_reverse`]: phone };
  book.mapped(entries);
  for (const [id, value] of Object.entries(entries)) stored.set(`lid-mapping:${id}`, value);
};

beforeEach(() => {
  stored = new Map();
  learned = [];
  book = new AccountBook({
    auth: {
      lookUp: (type, id) => stored.get(`${type}:${id}`),
      keys: {
        get: () => ({}),
        set: (data) => {
          for (const [type, entries] of Object.entries(data)) {
            for (const [id, value] of Object.entries(entries ?? {})) stored.set(`${type}:${id}`, value ?? undefined);
          }
        },
      },
    },
    onLearned: (names) => learned.push(...names),
  });
});

describe("an account's chat", () => {
  test("is its number, once that is known", () => {
    expect(book.chatOf(lid)).toBe(lid);
    map("777", "5511987654321");
    for (const name of [lid, number, "777:3@lid", "5511987654321:3@s.whatsapp.net"])
      expect(book.chatOf(name)).toBe(number);
    expect(book.namesOf(lid)).toEqual([number, lid]);
    expect(learned).toEqual([{ alias: lid, chat: number }]);
  });

  test("has the number as WhatsApp spells it", () => {
    book.respelled(spelling, number);
    book.respelled(spelling, number);
    book.respelled(number, number);
    expect(book.chatOf(spelling)).toBe(number);
    expect(learned).toEqual([{ alias: spelling, chat: number }]);
  });

  test("takes no LID for another spelling", () => {
    book.respelled(number, lid);
    book.respelled(lid, number);
    expect(book.chatOf(number)).toBe(number);
    expect(learned).toEqual([]);
  });

  test("is its own again once it has a LID", () => {
    book.respelled(spelling, number);
    map("888", "551187654321");
    expect(book.chatOf(spelling)).toBe(spelling);
    expect(book.chatOf("888@lid")).toBe(spelling);
  });

  test("never leads back to itself", () => {
    book.respelled(spelling, number);
    book.respelled(number, spelling);
    expect(book.chatOf(number)).toBe(spelling);
    expect(book.chatOf(spelling)).toBe(spelling);
  });

  test("of a group is the group", () => {
    expect(book.chatOf("120363000000000001@g.us")).toBe("120363000000000001@g.us");
  });
});

test("announces names known before once, in bounded entries", async () => {
  for (let n = 1; n <= 1_200; n++) map(`${n}`, `15550${n}`);
  const values = new Map<string, Buffer>();
  const store = {
    names: () => [...stored.keys()],
    read: (name: string) => values.get(name),
    write: (changes: Iterable<readonly [string, Uint8Array | null]>) => {
      for (const [name, value] of changes) values.set(name, Buffer.from(value ?? []));
    },
  };
  const entries: AccountName[][] = [];
  const announce = async (names: AccountName[]) => void entries.push(names);
  await announceKnown(store, book, announce);
  await announceKnown(store, book, announce);
  expect(entries.map(({ length }) => length)).toEqual([500, 500, 200]);
  expect(entries[0]![0]).toEqual({ alias: "1@lid", chat: "155501@s.whatsapp.net" });
});
