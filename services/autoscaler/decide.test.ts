import { describe, expect, test } from "bun:test";
import { decide, noMemory } from "./decide.ts";
import type { GroupView, Memory } from "./decide.ts";
import type { Pressure } from "./pressure.ts";

const minute = 60_000;

/** A load as a share of its target; `needed` as for a load that replicas share. */
const pressure = (load: number, needed: number): Pressure => ({
  signal: "cpu",
  load,
  needed,
  isCalm: load < 0.3,
  description: `a load of ${load}`,
});
const group: GroupView = {
  count: 2,
  min: 1,
  max: 8,
  cooldownMs: minute,
  calmMs: 5 * minute,
  changedMsAgo: null,
  hold: null,
  pressures: [pressure(0.1, 1)],
  running: 2,
  answered: 2,
  draining: 0,
};
/** Running and answering replicas follow the count. */
const at = ({ count = 2, ...changes }: Partial<GroupView>, memory: Memory = noMemory, now = 0) =>
  decide({ ...group, count, running: count, answered: count, ...changes }, memory, now);
const longCalm: Memory = { calmSince: -100 * minute };

describe("decide", () => {
  test("adds what the load needs, at most doubling", () => {
    expect(at({ pressures: [pressure(1.2, 3)] }).count).toBe(3);
    expect(at({ pressures: [pressure(9, 18)] }).count).toBe(4);
    expect(at({ count: 5, pressures: [pressure(9, 45)] }).count).toBe(8);
  });

  test("follows the highest of several loads", () => {
    expect(at({ pressures: [pressure(0.2, 1), pressure(1.4, 3)] }).count).toBe(3);
    expect(at({ pressures: [pressure(0.2, 1), pressure(0.9, 2)] }, longCalm).count).toBe(2);
  });

  test("keeps the count within its bounds", () => {
    expect(at({ count: 8, pressures: [pressure(9, 72)] })).toMatchObject({
      count: 8,
      reason: expect.stringContaining("at the maximum"),
    });
    expect(at({ count: 12 }).count).toBe(8);
    expect(at({ count: 1, min: 2 }).count).toBe(2);
    expect(at({ count: 2, min: 2 }, longCalm).count).toBe(2);
  });

  test("waits for the cooldown after any change", () => {
    const busy = { pressures: [pressure(2, 4)] };
    expect(at({ ...busy, changedMsAgo: minute - 1 })).toMatchObject({
      count: 2,
      reason: expect.stringContaining("cooling down"),
    });
    expect(at({ ...busy, changedMsAgo: minute }).count).toBe(4);
  });

  test("removes one replica after a long calm", () => {
    let memory = noMemory;
    const look = (load: number, minutes: number) => {
      const decision = at({ pressures: [pressure(load, 2)] }, memory, minutes * minute);
      memory = decision.memory;
      return decision.count;
    };
    expect([look(0, 0), look(0, 4), look(0.9, 4.5), look(0, 5), look(0, 9)]).toEqual([2, 2, 2, 2, 2]);
    expect(look(0, 10)).toBe(1);
  });

  test("counts calm from the last change", () => {
    expect(at({ changedMsAgo: 5 * minute - 1 }, longCalm).count).toBe(2);
    expect(at({ changedMsAgo: 5 * minute }, longCalm).count).toBe(1);
  });

  test("removes none while one drains or is silent", () => {
    expect(at({}, longCalm).count).toBe(1);
    expect(at({ draining: 1 }, longCalm)).toMatchObject({ count: 2, reason: expect.stringContaining("drain") });
    expect(at({ answered: 1 }, longCalm)).toMatchObject({ count: 2, reason: expect.stringContaining("only 1 of 2") });
    expect(at({ running: 1, answered: 1 }, longCalm).count).toBe(2);
  });

  test("leaves a held count alone", () => {
    const hold = { count: 2, untilMs: Date.UTC(2026, 0, 1) };
    for (const pressures of [[pressure(9, 18)], [pressure(0, 1)]]) {
      expect(at({ hold, pressures }, longCalm)).toMatchObject({
        count: 2,
        reason: expect.stringContaining("held at 2 until 2026-01-01"),
      });
    }
    expect(at({ hold, count: 12 }).count).toBe(12);
  });

  test("changes nothing without a load", () => {
    expect(at({ pressures: [] }, longCalm)).toEqual({
      count: 2,
      reason: "no replica reports its load",
      memory: { calmSince: null },
    });
  });

  test("never leaves its bounds, whatever it sees", () => {
    for (let seed = 0; seed < 2_000; seed += 1) {
      const any = (below: number, salt: number) => Math.floor(((seed * 7919 + salt * 104_729) % 1009) / (1009 / below));
      const view: GroupView = {
        ...group,
        count: 1 + any(8, 1),
        pressures: any(4, 2) === 0 ? [] : [pressure(any(300, 3) / 100, any(20, 4))],
        changedMsAgo: any(2, 5) === 0 ? null : any(10, 6) * minute,
        answered: any(9, 7),
        draining: any(3, 8) === 0 ? 1 : 0,
      };
      const { count } = decide(view, any(2, 9) === 0 ? noMemory : longCalm, 0);
      expect(count).toBeWithin(1, 9);
      expect(count).toBeGreaterThanOrEqual(view.count - 1);
      expect(count).toBeLessThanOrEqual(view.count * 2);
    }
  });
});
