import { afterEach, beforeEach, expect, test } from "bun:test";
import { createTestQueues } from "../testing/queues.ts";
import type { TestQueues } from "../testing/queues.ts";
import { until } from "../testing/until.ts";
import { startScheduler } from "./scheduler.ts";
import type { Scheduler } from "./scheduler.ts";

let queues: TestQueues;
let schedulers: Scheduler[] = [];
beforeEach(async () => {
  queues = await createTestQueues();
});
afterEach(async () => {
  await Promise.all(schedulers.splice(0).map((scheduler) => scheduler.close()));
  await queues.close();
});

const start = (everyMs: number, assertEveryMs: number) => {
  const errors: unknown[] = [];
  const scheduler = startScheduler({
    redis: queues.redis,
    served: ["maintenance"],
    onError: (error) => errors.push(error),
    schedules: [{ job: "sweep", payload: {}, everyMs }],
    assertEveryMs,
  });
  schedulers.push(scheduler);
  return errors;
};

test("several processes with the same schedule run it once a period", async () => {
  let runs = 0;
  await queues.serve("maintenance", {
    sweep: async () => {
      runs += 1;
      return {};
    },
  });
  const begun = performance.now();
  const errors = [start(100, 30), start(100, 30), start(100, 30)].flat();
  await until(() => runs >= 10, { what: "ten runs" });
  const periods = (performance.now() - begun) / 100;
  expect(runs).toBeLessThanOrEqual(Math.ceil(periods) + 1);
  expect(errors).toEqual([]);
});

test("a Redis that forgot everything is told the schedules again", async () => {
  let runs = 0;
  await queues.serve("maintenance", {
    sweep: async () => {
      runs += 1;
      return {};
    },
  });
  start(100, 200);
  await until(() => runs >= 1, { what: "a run" });
  await queues.redis.flushdb();
  const before = runs;
  await until(() => runs >= before + 3, { what: "runs after the flush" });
});
