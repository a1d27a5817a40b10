import { expect, test } from "bun:test";
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

test("where the oldest job waits too long there are more, in proportion, and never more than twice as many at once", () => {
  expect(at({ oldestMs: 1_001 }).count).toBe(3);
  expect(at({ count: 4, oldestMs: 1_500 }).count).toBe(6);
  expect(at({ count: 4, oldestMs: 900_000 }).count).toBe(8);
  expect(at({ count: 1, oldestMs: 900_000 }).count).toBe(2);
});

test("bounds are kept, whatever happens", () => {
  expect(at({ count: 8, oldestMs: 900_000 })).toMatchObject({
    count: 8,
    reason: expect.stringContaining("as many as may be"),
  });
  expect(at({ count: 12 }).count).toBe(8);
  expect(at({ count: 0 }).count).toBe(1);
  expect(at({ count: 1 }, { changedAt: null, calmSince: -100 * minute }).count).toBe(1);
});

test("between two changes there is a cooldown", () => {
  const first = at({ oldestMs: 5_000 });
  expect(first.count).toBe(4);
  expect(at({ count: 4, oldestMs: 5_000 }, first.memory, minute - 1)).toMatchObject({
    count: 4,
    reason: expect.stringContaining("cooling down"),
  });
  expect(at({ count: 4, oldestMs: 5_000 }, first.memory, minute).count).toBe(8);
});

test("one is taken away only after a long calm, and a single long wait begins it anew", () => {
  let memory = noMemory;
  const look = (oldestMs: number, minutes: number) => {
    const decision = at({ oldestMs }, memory, minutes * minute);
    memory = decision.memory;
    return decision.count;
  };
  expect([look(0, 0), look(0, 4), look(900, 4.5), look(0, 5), look(0, 9)]).toEqual([2, 2, 2, 2, 2]);
  expect(look(0, 10)).toBe(1);
});

test("a change by somebody else begins a cooldown and a calm too", () => {
  expect(at({ oldestMs: 5_000, changedMsAgo: minute - 1 }).count).toBe(2);
  expect(at({ oldestMs: 5_000, changedMsAgo: minute }).count).toBe(4);
  const calm: Memory = { changedAt: null, calmSince: 0 };
  expect(at({ changedMsAgo: 5 * minute - 1 }, calm, 9 * minute).count).toBe(2);
  expect(at({ changedMsAgo: 5 * minute }, calm, 9 * minute).count).toBe(1);
});
