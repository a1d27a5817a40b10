import { describe, expect, test } from "bun:test";
import { LoopScheduler } from "./loop_scheduler.ts";

describe("the loop scheduler", () => {
  test("serves callers in the order of their requests", async () => {
    const scheduler = new LoopScheduler();
    const served: string[] = [];
    const work = async (name: string) => {
      for (let i = 0; i < 2; i++) {
        await scheduler.turn();
        served.push(`${name}${i}`);
      }
    };
    await Promise.all([work("a"), work("b"), work("c")]);
    expect(served).toEqual(["a0", "b0", "c0", "a1", "b1", "c1"]);
  });

  test("spends at most its budget in one iteration", async () => {
    const scheduler = new LoopScheduler();
    const blocking = 4;
    let iterations = 0;
    let done = false;
    const count = () => {
      iterations += 1;
      if (!done) setImmediate(count);
    };
    setImmediate(count);
    const work = async () => {
      await scheduler.turn();
      const end = performance.now() + blocking;
      while (performance.now() < end);
    };
    await Promise.all(Array.from({ length: 12 }, work));
    done = true;
    // Two turns of 4 ms fit into a budget of 5 ms.
    expect(iterations).toBeGreaterThanOrEqual(6);
  });

  test("starves no timer", async () => {
    const scheduler = new LoopScheduler();
    let timer = false;
    setTimeout(() => (timer = true), 1);
    while (!timer) await scheduler.turn();
    expect(timer).toBeTrue();
  });
});
