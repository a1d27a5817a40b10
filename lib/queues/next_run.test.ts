import { describe, expect, test } from "bun:test";
import { maxPostponementMs } from "./definitions.ts";
import { waitBeforeNextRun } from "./next_run.ts";

const wait = (inMs: number, postponed: number, progressed?: boolean) =>
  waitBeforeNextRun({ inMs, reason: "test", ...(progressed === undefined ? {} : { progressed }) }, postponed);

describe("waitBeforeNextRun", () => {
  test("takes what the handler asks for", () => {
    for (const inMs of [500, 1_000, 30_000, maxPostponementMs]) expect(wait(inMs, 100)).toBe(inMs);
    expect(wait(0, 0)).toBe(0);
    expect(wait(0, 1_000, true)).toBe(0);
  });

  test("caps a long wait", () => {
    expect(wait(600_000, 0)).toBe(maxPostponementMs);
    expect(wait(Number.POSITIVE_INFINITY, 0)).toBe(maxPostponementMs);
  });

  test("backs off when the wait lies in the past", () => {
    for (const inMs of [-1, -3_600_000, Number.NEGATIVE_INFINITY, Number.NaN]) {
      expect(wait(inMs, 0)).toBeGreaterThanOrEqual(125);
      expect(wait(inMs, 20)).toBeGreaterThanOrEqual(5_000);
      expect(wait(inMs, 20, true)).toBeGreaterThanOrEqual(5_000);
    }
  });

  test("bounds runs in a row without progress", () => {
    let waited = 0;
    for (let postponed = 0; postponed < 50; postponed++) waited += wait(0, postponed);
    expect(waited).toBeGreaterThan(15_000);
  });
});
