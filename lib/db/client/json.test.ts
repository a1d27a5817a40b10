import { describe, expect, test } from "bun:test";
import { toJson } from "./json.ts";

const read = (value: unknown): unknown => JSON.parse(toJson(value));

describe("toJson", () => {
  test("replaces what Postgres cannot hold, in values and names", () => {
    expect(read({ "a\u0000b": ["c\u0000d", "e\ud800f", "\udc00"], "g\udfffh": { i: "\u0000" } })).toEqual({
      "a\ufffdb": ["c\ufffdd", "e\ufffdf", "\ufffd"],
      "g\ufffdh": { i: "\ufffd" },
    });
  });

  test("leaves everything else as it is", () => {
    const values = [
      "\\u0000",
      "\\\\u0000",
      "\\ud800",
      "\\",
      '"',
      "\u0001\u001f\u2028",
      "𝒳 שלום",
      "\n\\n",
      { "\\u0000": 1 },
      null,
      [1, true],
    ];
    for (const value of values) expect(read(value)).toEqual(value);
    expect(read(["\u0000\\u0000\ud800\\ud800\\"])).toEqual(["\ufffd\\u0000\ufffd\\ud800\\"]);
  });
});
