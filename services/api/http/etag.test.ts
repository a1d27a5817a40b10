import { describe, expect, test } from "bun:test";
import { assertIfMatch, etagOf, matches } from "./etag.ts";

test("etagOf differs exactly when the representation does", () => {
  expect(etagOf({ a: 1 })).toBe(etagOf({ a: 1 }));
  expect(etagOf({ a: 1 })).not.toBe(etagOf({ a: 2 }));
});

test("matches accepts lists, wildcards and weakened tags", () => {
  for (const header of ['"x", "y"', '"y"', "*", 'W/"y"', ' "x" , W/"y" '])
    expect(matches(header, '"y"'), header).toBeTrue();
  for (const header of ['"x"', "", "y", '"yy"']) expect(matches(header, '"y"'), header).toBeFalse();
});

describe("assertIfMatch", () => {
  test("accepts a missing or current tag", () => {
    assertIfMatch(undefined, { a: 1 });
    assertIfMatch(etagOf({ a: 1 }), { a: 1 });
  });

  test("rejects an outdated tag", () => {
    expect(() => assertIfMatch(etagOf({ a: 2 }), { a: 1 })).toThrow("Fetch the latest version");
  });
});
