import { beforeEach, describe, expect, test } from "bun:test";
import type { AccountName } from "../../../lib/contracts/shard/schemas.ts";
import { AccountBook } from "./account_book.ts";
import { announceKnown } from "./announce_known.ts";

const [number, spelling, lid] = ["5511987654321@s.whatsapp.net", "551187654321@s.whatsapp.net", "777@lid"];

let stored: Map<string, unknown>;
let learned: AccountName[];
let book: AccountBook;
/** Resolves once the journal has what the book announces. */
let durable: Promise<void>;

/** Stores a pair as Baileys does; `mapped` is called before. */
const map = (user: string, phone: string) => {
  const entries = { [phone]: user, [`${user}_reverse`]: phone };
  book.mapped(entries);
  for (const [id, value] of Object.entries(entries)) stored.set(`lid-mapping:${id}`, value);
};

const newBook = () =>
  new AccountBook({
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
    announce: async (names) => {
      learned.push(...names);
      await durable;
    },
  });

beforeEach(() => {
  stored = new Map();
  learned = [];
  durable = new Promise(() => {});
  book = newBook();
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

describe("the announcement of known names", () => {
  const reconnect = () => {
    book = newBook();
  };
  /** Opens a connection, whose journal accepts entries or fails. Returns the entries. */
  const open = async ({ journals = true } = {}) => {
    const entries: AccountName[][] = [];
    const store = {
      names: (prefix = "") => [...stored.keys()].filter((name) => name.startsWith(prefix) && stored.get(name) != null),
      read: (name: string) => stored.get(name) as Buffer | undefined,
      write: (changes: Iterable<readonly [string, Uint8Array | null]>) => {
        for (const [name, value] of changes) stored.set(name, value);
      },
    };
    const opened = announceKnown(store, book, async (names) => {
      if (!journals) throw new Error("the disk is full");
      entries.push(names);
    });
    await opened.catch(() => {});
    return entries;
  };

  test("is made once for each store, in bounded entries", async () => {
    for (let n = 1; n <= 1_200; n++) map(`${n}`, `15550${n}`);
    book.announced(learned);
    const entries = await open();
    expect(entries.map(({ length }) => length)).toEqual([500, 500, 200]);
    expect(entries[0]![0]).toEqual({ alias: "1@lid", chat: "155501@s.whatsapp.net" });
    expect(await open()).toEqual([]);
  });

  test("is repeated for those that the journal lacks", async () => {
    await open();
    map("777", "5511987654321");
    book.respelled(spelling, number);
    reconnect();
    const both = [
      { alias: lid, chat: number },
      { alias: spelling, chat: number },
    ];
    expect(await open({ journals: false })).toEqual([]);
    expect((await open()).flat()).toEqual(both);
    expect(await open()).toEqual([]);
  });

  test("is not repeated for those that the journal has", async () => {
    await open();
    durable = Promise.resolve();
    map("777", "5511987654321");
    await Bun.sleep(0);
    reconnect();
    expect(await open()).toEqual([]);
  });

  test("leaves those to the connection that learned them", async () => {
    await open();
    book.mapped({ "777_reverse": "5511987654321" });
    expect(await open()).toEqual([]);
    stored.set("lid-mapping:777_reverse", "5511987654321");
    reconnect();
    expect((await open()).flat()).toEqual([{ alias: lid, chat: number }]);
  });

  test("is repeated for a name that got another chat", async () => {
    await open();
    durable = Promise.resolve();
    book.respelled(spelling, number);
    durable = new Promise(() => {});
    book.respelled(spelling, "5511900000000@s.whatsapp.net");
    await Bun.sleep(0);
    reconnect();
    expect(await open()).toEqual([[{ alias: spelling, chat: "5511900000000@s.whatsapp.net" }]]);
  });

  test("omits names that were not stored", async () => {
    await open();
    book.mapped({ "777_reverse": "5511987654321" });
    reconnect();
    expect(await open()).toEqual([]);
    expect([...stored.keys()].filter((name) => name.includes("777"))).toEqual(["account-unannounced:777@lid"]);
    expect(stored.get("account-unannounced:777@lid")).toBeUndefined();
  });
});

describe("two names", () => {
  const group = "120363000000000001@g.us";
  const [other, otherLid] = ["5511900000002@s.whatsapp.net", "888@lid"];

  test("of one chat are not different", () => {
    map("777", "5511987654321");
    book.respelled(spelling, number);
    for (const name of [number, spelling, lid, "777:3@lid"]) expect(book.areDifferent(number, name)).toBeFalse();
    expect(book.areDifferent(group, group)).toBeFalse();
  });

  test("of two chats are different", () => {
    map("777", "5511987654321");
    map("888", "5511900000002");
    for (const [one, two] of [
      [group, number],
      [lid, group],
      [group, "120363000000000002@g.us"],
      [group, "5511900000003@s.whatsapp.net"],
      [number, other],
      [number, otherLid],
      [lid, other],
    ] as const)
      expect(book.areDifferent(one, two), `${one} ${two}`).toBeTrue();
  });

  test("may be one account without a known LID", () => {
    expect(book.areDifferent(number, lid)).toBeFalse();
    expect(book.areDifferent(number, other)).toBeFalse();
  });
});
