import { describe, expect, test } from "bun:test";
import { decide, noMemory } from "./decide.ts";
import type { GroupView, Memory } from "./decide.ts";

const minute = 60_000;
const group: GroupView = {
  count: 2,
  min: 1,
  max: 8,
  oldestMs: 0,
  waitMs: 1_000,
  cooldownMs: minute,
  changedMsAgo: null,
};
const at = (changes: Partial<GroupView>, memory: Memory = noMemory, now = 0) =>
  decide({ ...group, ...changes }, memory, now);

describe("decide", () => {
  test("adds workers in proportion, at most doubling them", () => {
    expect(at({ oldestMs: 1_001 }).count).toBe(3);
    expect(at({ count: 4, oldestMs: 1_500 }).count).toBe(6);
    expect(at({ count: 4, oldestMs: 900_000 }).count).toBe(8);
    expect(at({ count: 1, oldestMs: 900_000 }).count).toBe(2);
  });

  test("keeps the count within its bounds", () => {
    expect(at({ count: 8, oldestMs: 900_000 })).toMatchObject({
      count: 8,
      reason: expect.stringContaining("at the maximum"),
    });
    expect(at({ count: 12 }).count).toBe(8);
    expect(at({ count: 0 }).count).toBe(1);
    expect(at({ count: 1 }, { changedAt: null, calmSince: -100 * minute }).count).toBe(1);
  });

  test("waits for the cooldown between changes", () => {
    const first = at({ oldestMs: 5_000 });
    expect(first.count).toBe(4);
    expect(at({ count: 4, oldestMs: 5_000 }, first.memory, minute - 1)).toMatchObject({
      count: 4,
      reason: expect.stringContaining("cooling down"),
    });
    expect(at({ count: 4, oldestMs: 5_000 }, first.memory, minute).count).toBe(8);
  });

  test("removes a worker only after a long calm", () => {
    let memory = noMemory;
    const look = (oldestMs: number, minutes: number) => {
      const decision = at({ oldestMs }, memory, minutes * minute);
      memory = decision.memory;
      return decision.count;
    };
    expect([look(0, 0), look(0, 4), look(900, 4.5), look(0, 5), look(0, 9)]).toEqual([2, 2, 2, 2, 2]);
    expect(look(0, 10)).toBe(1);
  });

  test("counts changes by other commands as its own", () => {
    expect(at({ oldestMs: 5_000, changedMsAgo: minute - 1 }).count).toBe(2);
    expect(at({ oldestMs: 5_000, changedMsAgo: minute }).count).toBe(4);
    const calm: Memory = { changedAt: null, calmSince: 0 };
    expect(at({ changedMsAgo: 5 * minute - 1 }, calm, 9 * minute).count).toBe(2);
    expect(at({ changedMsAgo: 5 * minute }, calm, 9 * minute).count).toBe(1);
  });
});
