import { afterEach, beforeEach, describe, expect, setSystemTime, test } from "bun:test";
import { createTestQueues } from "../testing/queues.ts";
import type { TestQueues } from "../testing/queues.ts";
import { until } from "../testing/until.ts";
import { promoteMisdatedJobs } from "./clock_steps.ts";
import { queueOn } from "./connection.ts";
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

/** Starts a worker that counts the runs of the sweep. */
async function serveSweep() {
  let runs = 0;
  await queues.serve("maintenance", {
    sweep: async () => {
      runs += 1;
      return {};
    },
  });
  return { runs: () => runs };
}

describe("startScheduler", () => {
  test("runs a schedule of several processes once per period", async () => {
    const { runs } = await serveSweep();
    const begun = performance.now();
    const errors = [start(100, 30), start(100, 30), start(100, 30)].flat();
    await until(() => runs() >= 10, { what: "ten runs" });
    const periods = (performance.now() - begun) / 100;
    expect(runs()).toBeLessThanOrEqual(Math.ceil(periods) + 1);
    expect(errors).toEqual([]);
  });

  test("restores the schedules of a flushed Redis", async () => {
    const { runs } = await serveSweep();
    start(100, 200);
    await until(() => runs() >= 1, { what: "a run" });
    await queues.redis.flushdb();
    const before = runs();
    await until(() => runs() >= before + 3, { what: "runs after the flush" });
  });
});

describe("a schedule whose next run was lost", () => {
  const lose = async (state: "delayed" | "wait") => {
    const queue = await queueOn(queues.redis, "maintenance");
    await queue.upsertJobScheduler("sweep", { every: 200 }, { name: "sweep", data: {} });
    const [next] = [...(await queue.getDelayed()), ...(await queue.getWaiting())];
    const id = next?.id;
    if (state === "wait") await queue.getJob(id!).then((job) => job?.promote().catch(() => {}));
    await queues.redis.del(queue.toKey("delayed"), queue.toKey("wait"), queue.toKey("prioritized"), queue.toKey(id!));
  };

  test.each(["delayed", "wait"] as const)("runs again: %s", async (state) => {
    await lose(state);
    const { runs } = await serveSweep();
    start(200, 50);
    await until(() => runs() >= 3, { what: "three runs" });
  });
});

/** Runs `write` under a clock that is `ms` fast. */
async function withFastClock(ms: number, write: () => Promise<unknown>): Promise<void> {
  setSystemTime(new Date(Date.now() + ms));
  try {
    await write();
  } finally {
    setSystemTime();
  }
}

describe("a clock ten minutes fast", () => {
  test("delays no schedule", async () => {
    const queue = await queueOn(queues.redis, "maintenance");
    await withFastClock(600_000, () => queue.upsertJobScheduler("sweep", { every: 100 }, { name: "sweep", data: {} }));
    expect((await queue.getJobScheduler("sweep"))!.next).toBeGreaterThan(Date.now() + 500_000);
    const { runs } = await serveSweep();
    const errors = start(100, 30);
    await until(() => runs() >= 3, { what: "runs" });
    expect(errors).toEqual([]);
  });

  test("delays no job; a valid delay stays", async () => {
    const queue = await queueOn(queues.redis, "high");
    const [misdated, valid] = ["01900000-0000-7000-8000-000000000001", "01900000-0000-7000-8000-000000000002"];
    await withFastClock(600_000, () => queue.add("send", { business_id: misdated }, { delay: 500 }));
    await queue.add("send", { business_id: valid }, { delay: 50_000 });
    expect(await promoteMisdatedJobs(queues.redis, "high")).toBe(1);
    const ran: string[] = [];
    await queues.serve("high", {
      send: async ({ payload }) => {
        ran.push(payload.business_id);
        return {};
      },
    });
    await until(() => ran.length > 0, { what: "the job" });
    expect(ran).toEqual([misdated]);
    expect(await queue.getDelayedCount()).toBe(1);
  });
});
