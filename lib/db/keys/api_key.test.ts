import { describe, expect, test } from "bun:test";
import { generateKey, hashKey, keyPrefix } from "./api_key.ts";

describe("API keys", () => {
  test("have a form, a prefix and a stored hash", () => {
    for (let n = 0; n < 100; n++) {
      const { key, prefix, hash } = generateKey();
      expect(keyPrefix(key)).toBe(prefix);
      expect(hashKey(key)).toBe(hash);
      expect(hash).not.toContain(key.slice(13));
    }
  });

  test("of another form have no prefix", () => {
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
});
