import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import type { Resident } from "../db/index.ts";
import { planMoves } from "./plan.ts";

let next = 0;
const residents = (shard: number, count: number, over: Partial<Resident> = {}): Resident[] =>
  Array.from({ length: count }, () => ({
    business_id: `b${next++}`,
    shard,
    paired: true,
    moving: false,
    just_moved: false,
    ...over,
  }));

/** Logins by shard after the moves. */
function after(before: Resident[], moves: ReturnType<typeof planMoves>): Record<number, number> {
  const to = new Map(moves.map((move) => [move.business_id, move.to_shard]));
  const counts: Record<number, number> = {};
  for (const { business_id, shard, paired } of before) {
    if (!paired) continue;
    const home = to.get(business_id) ?? shard;
    counts[home] = (counts[home] ?? 0) + 1;
  }
  return counts;
}

describe("planMoves", () => {
  test("fills a new shard with the fewest moves", () => {
    const before = [...residents(1, 50), ...residents(2, 50)];
    const moves = planMoves(before, { shards: [1, 2, 3, 4, 5] });
    expect(moves).toHaveLength(60);
    expect(after(before, moves)).toEqual({ 1: 20, 2: 20, 3: 20, 4: 20, 5: 20 });
    expect(moves.every(({ from_shard, to_shard }) => from_shard <= 2 && to_shard > 2)).toBeTrue();
  });

  test("plans nothing for a difference of one", () => {
    expect(planMoves([...residents(1, 10), ...residents(2, 11)], { shards: [1, 2] })).toEqual([]);
    expect(planMoves([...residents(1, 10), ...residents(2, 12)], { shards: [1, 2] })).toHaveLength(1);
  });

  test("empties draining shards evenly, of unpaired businesses too", () => {
    const before = [...residents(1, 3), ...residents(2, 9), ...residents(3, 8), ...residents(4, 4, { paired: false })];
    const moves = planMoves(before, { shards: [1, 2], drain: [3, 4] });
    expect(moves).toHaveLength(12);
    expect(after(before, moves)).toEqual({ 1: 10, 2: 10 });
    expect(moves.every(({ to_shard }) => to_shard <= 2)).toBeTrue();
  });

  test("leaves other shards alone during a drain", () => {
    expect(planMoves([...residents(1, 50), ...residents(2, 1)], { shards: [1, 2], drain: [3] })).toEqual([]);
  });

  test("moves businesses off a missing shard", () => {
    const before = [...residents(1, 2), ...residents(9, 2)];
    expect(planMoves(before, { shards: [1, 2] }).map(({ from_shard, to_shard }) => [from_shard, to_shard])).toEqual([
      [9, 2],
      [9, 2],
    ]);
  });

  test("continues an interrupted plan", () => {
    const before = residents(1, 10);
    const first = planMoves(before, { shards: [1, 2], max: 2 });
    expect(first).toHaveLength(2);
    const going = new Set(first.map(({ business_id }) => business_id));
    const between = before.map((one) =>
      going.has(one.business_id) ? Object.assign(one, { shard: 2, moving: true }) : one,
    );
    const rest = planMoves(between, { shards: [1, 2] });
    expect(rest).toHaveLength(3);
    expect(rest.some(({ business_id }) => going.has(business_id))).toBeFalse();
  });

  test("gives each node a share by its shards", () => {
    const nodeOf = (shard: number) => (shard === 3 ? "b" : "a");
    const even = [...residents(1, 1000), ...residents(2, 1000), ...residents(3, 1000)];
    expect(planMoves(even, { shards: [1, 2, 3], nodeOf })).toEqual([]);
    const before = [...residents(1, 40), ...residents(2, 40), ...residents(3, 10)];
    const moves = planMoves(before, { shards: [1, 2, 3], nodeOf });
    expect(after(before, moves)).toEqual({ 1: 30, 2: 30, 3: 30 });
    expect(moves).toHaveLength(20);
  });

  test("drains to the node with the smallest share", () => {
    const nodeOf = (shard: number) => (shard === 4 ? "b" : "a");
    const before = [...residents(1, 2), ...residents(2, 2), ...residents(3, 4), ...residents(4, 1)];
    const moves = planMoves(before, { shards: [1, 2, 3, 4], drain: [3], nodeOf });
    expect(after(before, moves)).toEqual({ 1: 3, 2: 3, 4: 3 });
  });

  test("gives no shard more sessions than allowed", () => {
    const before = [...residents(1, 4), ...residents(2, 3), ...residents(3, 6), ...residents(3, 2, { paired: false })];
    const moves = planMoves(before, { shards: [1, 2, 3], drain: [3], maxSessions: 5 });
    expect(after(before, moves)).toEqual({ 1: 5, 2: 5, 3: 3 });
    expect(moves).toHaveLength(5);
    const nodeOf = (shard: number) => `node ${shard % 2}`;
    const alone = planMoves(residents(1, 10), { shards: [1, 2, 3], nodeOf, maxSessions: 3 });
    expect(alone.filter(({ to_shard }) => to_shard === 2)).toHaveLength(3);
  });

  test("leaves nothing to plan behind a finished plan", () => {
    const shape = fc.record({
      shards: fc.integer({ min: 1, max: 7 }),
      nodes: fc.integer({ min: 1, max: 4 }),
      homes: fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 60 }),
      drained: fc.option(fc.integer({ min: 1, max: 7 }), { nil: null }),
    });
    fc.assert(
      fc.property(shape, ({ shards: count, nodes, homes, drained }) => {
        const before = homes.flatMap((shard) => residents(shard, 1));
        const options = {
          shards: Array.from({ length: count }, (_, index) => index + 1),
          drain: drained === null ? [] : [drained],
          nodeOf: (shard: number) => `node ${shard % nodes}`,
        };
        const to = new Map(planMoves(before, options).map((move) => [move.business_id, move.to_shard]));
        const done = before.map((one) => ({ ...one, shard: to.get(one.business_id) ?? one.shard }));
        expect(planMoves(done, options)).toEqual([]);
      }),
    );
  });

  test("moves those last that have just moved", () => {
    const moved = residents(1, 4, { just_moved: true }).map(({ business_id }) => business_id);
    const before = [
      ...residents(1, 3),
      ...moved.map((business_id) => residents(1, 1, { business_id, just_moved: true })[0]!),
    ];
    const again = planMoves(before, { shards: [1, 2] }).filter(({ business_id }) => moved.includes(business_id));
    expect(again).toEqual([]);
    const emptied = planMoves(before, { shards: [2], drain: [1] });
    expect(emptied).toHaveLength(7);
  });

  test("plans nothing without a target shard", () => {
    expect(planMoves(residents(1, 3), { shards: [1], drain: [1] })).toEqual([]);
    expect(planMoves(residents(1, 3), { shards: [] })).toEqual([]);
  });
});
