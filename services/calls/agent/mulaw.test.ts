import { describe, expect, test } from "bun:test";
import { encodeSample, tone } from "./mulaw.ts";

describe("mulaw", () => {
  test("encodes samples as G.711's table does", () => {
    expect([0, -1, 8, -8, 1000, -1000, 32_767, -32_768].map(encodeSample)).toEqual([
      0xff, 0x7f, 0xfe, 0x7e, 0xce, 0x4e, 0x80, 0x00,
    ]);
  });

  test("a tone has the requested length", () => {
    expect(tone(440, 250)).toHaveLength(2000);
    expect(new Set(tone(440, 250)).size).toBeGreaterThan(20);
  });
});
