import { describe, expect, test } from "bun:test";
import { changedSalt, ContactSalt, writeHistorySalt } from "./contact_salt.ts";

const field = (tag: number[], value: Uint8Array) => Buffer.concat([Buffer.from([...tag, value.length]), value]);
/** SyncActionData with its index, and a value that may have the salt. */
const encoded = (salt: Uint8Array) =>
  Buffer.concat([
    field([0x0a], Buffer.from('["nct_salt_sync"]')),
    field([0x12], Buffer.concat([Buffer.from([0x08, 0x01]), field([0x82, 0x05], field([0x0a], salt))])),
  ]);
const index = ["nct_salt_sync"];
const salt = Buffer.from("a salt of 16 byt");

describe("changedSalt", () => {
  test("reads the salt of the action", () => {
    expect(Buffer.from(changedSalt({ index, operation: 0, encoded: encoded(salt) })!)).toEqual(salt);
  });

  test("is empty for a removal", () => {
    expect(changedSalt({ index, operation: 1, encoded: encoded(salt) })).toEqual(new Uint8Array());
  });

  test.each([
    ["another action", { index: ["mute", "x"], operation: 0, encoded: encoded(salt) }],
    ["an index that is no list", { index: "nct_salt_sync", operation: 0, encoded: encoded(salt) }],
    ["an empty salt", { index, operation: 0, encoded: encoded(Buffer.alloc(0)) }],
    ["garbage", { index, operation: 0, encoded: Buffer.from("ffffffffffff", "hex") }],
  ])("ignores %s", (_, action) => {
    expect(changedSalt(action)).toBeUndefined();
  });
});

describe("the salt of an account", () => {
  test("of the app state outlasts a later history", () => {
    const entries = new Map<string, Buffer>();
    const store = {
      read: (name: string) => entries.get(name),
      write: (changes: Iterable<readonly [string, Uint8Array | null]>) => {
        for (const [name, value] of changes) {
          if (value === null) entries.delete(name);
          else entries.set(name, Buffer.from(value));
        }
      },
    };
    const known = new ContactSalt(() => store);
    writeHistorySalt(store, Buffer.from("history"));
    expect(known.get()).toEqual(Buffer.from("history"));
    known.take({ index, operation: 0, encoded: encoded(salt) });
    writeHistorySalt(store, Buffer.from("history"));
    expect(known.get()).toEqual(salt);
    known.take({ index, operation: 1, encoded: encoded(salt) });
    expect(known.get()).toBeUndefined();
  });
});
