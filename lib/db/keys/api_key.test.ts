import { expect, test } from "bun:test";
import { generateKey, hashKey, keyPrefix } from "./api_key.ts";

test("a generated key has the form, its own prefix, and the hash that is stored", () => {
  for (let n = 0; n < 100; n++) {
    const { key, prefix, hash } = generateKey();
    expect(keyPrefix(key)).toBe(prefix);
    expect(hashKey(key)).toBe(hash);
    expect(hash).not.toContain(key.slice(13));
  }
});

test("what has not the form of a key has no prefix", () => {
  const wrong = [
    "",
    "psk_",
    "psk_short_aaaaaaaaaaaaaaaaaaaaaaaa",
    "psk_abcdefgh_short",
    "xsk_abcdefgh_aaaaaaaaaaaaaaaaaaaaaaaa",
    "psk_abcdefgh_aaaaaaaaaaaaaaaaaaaaaaaa '",
  ];
  for (const text of wrong) expect(keyPrefix(text), text).toBeUndefined();
});
