import { describe, expect, test } from "bun:test";
import { maxCountedMs, RunningClock, stallMs } from "./running_clock.ts";

function clock() {
  let now = 5_000;
  const sut = new RunningClock(() => now);
  const turn = (ms: number) => {
    now += ms;
    sut.tick();
  };
  return { sut, turn, pass: (ms: number) => (now += ms) };
}

describe("the running clock", () => {
  test("counts a long stall as one second", () => {
    const { sut, turn } = clock();
    turn(100);
    turn(9_000);
    expect(sut.runningNow()).toBe(100 + maxCountedMs);
    expect(sut.lastStallAt()).toBe(100 + maxCountedMs);
  });

  test("counts slow turns in full", () => {
    const { sut, turn } = clock();
    for (let n = 0; n < 20; n++) turn(800);
    expect(sut.runningNow()).toBe(20 * 800);
  });

  test("detects no stall in short turns", () => {
    const { sut, turn } = clock();
    for (let n = 0; n < 20; n++) turn(stallMs);
    expect(sut.lastStallAt()).toBe(Number.NEGATIVE_INFINITY);
    expect(sut.runningNow()).toBe(20 * stallMs);
  });

  test("advances between two samples", () => {
    const { sut, turn, pass } = clock();
    turn(100);
    pass(60);
    expect(sut.runningNow()).toBe(160);
    turn(40);
    expect(sut.runningNow()).toBe(200);
  });

  test("detects a stall before the sample after it", () => {
    const { sut, turn, pass } = clock();
    turn(100);
    pass(9_000);
    for (let n = 0; n < 3; n++) expect(sut.runningNow()).toBe(100 + maxCountedMs);
    expect(sut.lastStallAt()).toBe(100 + maxCountedMs);
    turn(0);
    expect([sut.runningNow(), sut.lastStallAt()]).toEqual([100 + maxCountedMs, 100 + maxCountedMs]);
  });

  test("detects a stall that readers cut into pieces", () => {
    const { sut, turn, pass } = clock();
    for (let n = 0; n < 5; n++) {
      pass(200);
      sut.runningNow();
    }
    turn(0);
    expect(sut.lastStallAt()).toBe(1_000);
  });
});
