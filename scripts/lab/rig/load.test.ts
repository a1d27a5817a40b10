import { describe, expect, test } from "bun:test";
import { closedLoad, runLoad, SteadyLoad } from "./load.ts";

describe("SteadyLoad", () => {
  test("keeps the order of a lane", async () => {
    const done: number[] = [];
    const jobsAt = (n: number) => [{ lane: "one", run: async () => (await Bun.sleep(n === 0 ? 20 : 0), done.push(n)) }];
    await runLoad({ perSecond: 1000, jobsAt }, 10);
    expect(done).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("runs no more ticks after a stall", async () => {
    let ticks = 0;
    await runLoad({ perSecond: 1000, jobsAt: () => (ticks++ === 0 ? Bun.sleepSync(30) : undefined, []) }, 10);
    expect(ticks).toBe(10);
  });

  test("starts jobs without a lane before earlier ones end", async () => {
    const first = Promise.withResolvers<void>();
    const jobsAt = (n: number) => [{ run: () => (n === 0 ? first.promise : (first.resolve(), Promise.resolve())) }];
    await runLoad({ perSecond: 1000, jobsAt }, 2);
  });

  test("throws the first failure", async () => {
    const jobsAt = () => [{ lane: "one", run: () => Promise.reject(new Error("refused")) }];
    await expect(runLoad({ perSecond: 1000, jobsAt }, 5)).rejects.toThrow("refused");
  });

  test("runs at least the requested ticks", async () => {
    let ticks = 0;
    const load = new SteadyLoad({ perSecond: 2000, jobsAt: () => (ticks++, []) }).start();
    await load.finish(20);
    expect(ticks).toBeGreaterThanOrEqual(20);
    expect(load.count).toBe(ticks);
  });
});

test("closedLoad counts the work of all lanes", async () => {
  const lanes = new Set<number>();
  const { done } = await closedLoad(3, 20, (lane) => (lanes.add(lane), Bun.sleep(1)));
  expect(lanes.size).toBe(3);
  expect(done).toBeGreaterThanOrEqual(3);
});
