import { describe, expect, test } from "bun:test";
import { randomOf } from "./kind.ts";
import { kinds, planOf } from "./kinds.ts";

describe("hostile kinds", () => {
  test("have names of their own and every origin", () => {
    expect(kinds.length).toBeGreaterThanOrEqual(60);
    expect(new Set(kinds.map(({ name }) => name)).size).toBe(kinds.length);
    expect(new Set(kinds.map(({ from }) => from))).toEqual(new Set(["visitor", "tenant", "carrier", "stranger"]));
  });

  test("share the attacks, each at least one", () => {
    const small = planOf(kinds, 200);
    expect(small.every(({ attacks }) => attacks >= 1)).toBe(true);
    const sum = planOf(kinds, 7_000).reduce((total, { attacks }) => total + attacks, 0);
    expect(Math.abs(sum - 7_000)).toBeLessThan(100);
  });

  test("attack the same way for the same seed", () => {
    const numbers = (seed: number) => Array.from({ length: 5 }, () => randomOf(seed, "a", 1).below(1e9));
    expect(numbers(1)).toEqual(numbers(1));
    expect(randomOf(1, "a", 1).below(1e9)).not.toBe(randomOf(2, "a", 1).below(1e9));
    expect(randomOf(1, "a", 1).below(1e9)).not.toBe(randomOf(1, "a", 2).below(1e9));
  });
});
