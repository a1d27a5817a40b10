import { expect, test } from "bun:test";
import { demandMatch, etagOf, matches } from "./etag.ts";

test("equal representations have equal tags, others not", () => {
  expect(etagOf({ a: 1 })).toBe(etagOf({ a: 1 }));
  expect(etagOf({ a: 1 })).not.toBe(etagOf({ a: 2 }));
});

test("a header may name several tags, any, or one that a proxy made weak", () => {
  for (const header of ['"x", "y"', '"y"', "*", 'W/"y"', ' "x" , W/"y" '])
    expect(matches(header, '"y"'), header).toBeTrue();
  for (const header of ['"x"', "", "y", '"yy"']) expect(matches(header, '"y"'), header).toBeFalse();
});

test("a caller that has seen something else is told so; one that asks for nothing is not", () => {
  demandMatch(undefined, { a: 1 });
  demandMatch(etagOf({ a: 1 }), { a: 1 });
  expect(() => demandMatch(etagOf({ a: 2 }), { a: 1 })).toThrow("read it again");
});
