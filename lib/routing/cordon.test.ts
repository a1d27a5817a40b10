import { describe, expect, test } from "bun:test";
import { parseCordon } from "./cordon.ts";

describe("parseCordon", () => {
  test("accepts a list of shard numbers", () => {
    expect(parseCordon("[]")).toEqual([]);
    expect(parseCordon("[3,1]")).toEqual([3, 1]);
  });

  test.each(["", "3", "{}", "[0]", "[1.5]", '["1"]', "[100000]", "[null]"])("rejects %p", (text) => {
    expect(parseCordon(text)).toBeNull();
  });
});
