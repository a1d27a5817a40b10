import { describe, expect, test } from "bun:test";
import { nextIndex } from "./watch.ts";

describe("nextIndex", () => {
  test("continues with the answered index", () => {
    expect(nextIndex(10, 12)).toBe(12);
    expect(nextIndex(10, 10)).toBe(10);
  });

  test("resets to 0 when the index goes backwards", () => {
    expect(nextIndex(10, 9)).toBe(0);
    expect(nextIndex(5, Number.NaN)).toBe(0);
  });

  test("never blocks on 0", () => {
    expect(nextIndex(0, 0)).toBe(1);
  });
});
