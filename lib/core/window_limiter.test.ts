import { describe, expect, test } from "bun:test";
import { createWindowLimiter } from "./window_limiter.ts";

const limiter = (maxCallers?: number) => {
  const clock = { at: 1_000_000 };
  const windows = createWindowLimiter({
    windowMs: 1_000,
    now: () => clock.at,
    ...(maxCallers === undefined ? {} : { maxCallers }),
  });
  const granted = (count: number, caller = "a") =>
    Array.from({ length: count }, () => windows.take(caller, 10)).filter((permit) => permit.granted).length;
  return { clock, granted, windows };
};

describe("window limiter", () => {
  test("grants up to the limit for each caller", () => {
    const { granted, windows } = limiter();
    expect(granted(25)).toBe(10);
    expect(windows.peek("a", 10).granted).toBeFalse();
    expect(granted(25, "b")).toBe(10);
  });

  test("frees requests as the window slides", () => {
    const { clock, granted } = limiter();
    clock.at += 900;
    expect(granted(10)).toBe(10);
    clock.at += 600;
    expect(granted(10)).toBe(5);
    clock.at += 1_500;
    expect(granted(11)).toBe(10);
  });

  test("does not count a peek", () => {
    const { granted, windows } = limiter();
    for (let n = 0; n < 20; n++) expect(windows.peek("a", 10)).toMatchObject({ granted: true, remaining: 10 });
    expect(granted(11)).toBe(10);
  });

  test("evicts the least recently counted caller", () => {
    const { granted, windows } = limiter(2);
    granted(10, "a");
    granted(10, "b");
    granted(1, "c");
    expect([windows.peek("a", 10).granted, windows.peek("b", 10).granted]).toEqual([true, false]);
  });
});
