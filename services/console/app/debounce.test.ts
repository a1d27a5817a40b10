import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { debounce } from "./debounce.ts";

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

describe("debounce", () => {
  test("runs once after the last call", () => {
    let runs = 0;
    const debounced = debounce(() => runs++, 250, 1_000);
    debounced.call();
    debounced.call();
    jest.advanceTimersByTime(249);
    expect(runs).toBe(0);
    jest.advanceTimersByTime(1);
    expect(runs).toBe(1);
    jest.advanceTimersByTime(5_000);
    expect(runs).toBe(1);
  });

  test("runs within maxMs while calls continue", () => {
    let runs = 0;
    const debounced = debounce(() => runs++, 250, 1_000);
    for (let n = 0; n < 100; n++) {
      debounced.call();
      jest.advanceTimersByTime(100);
    }
    expect(runs).toBeGreaterThanOrEqual(8);
    expect(runs).toBeLessThanOrEqual(10);
  });

  test("runs nothing after it was cancelled", () => {
    let runs = 0;
    const debounced = debounce(() => runs++, 250, 1_000);
    debounced.call();
    debounced.cancel();
    jest.advanceTimersByTime(5_000);
    expect(runs).toBe(0);
  });
});
