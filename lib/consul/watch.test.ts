import { expect, test } from "bun:test";
import { nextIndex } from "./watch.ts";

test("an index that goes backwards starts again at 0, and 0 is never waited on", () => {
  expect(nextIndex(10, 12)).toBe(12);
  expect(nextIndex(10, 10)).toBe(10);
  expect(nextIndex(10, 9)).toBe(0);
  expect(nextIndex(0, 0)).toBe(1);
  expect(nextIndex(5, Number.NaN)).toBe(0);
});
