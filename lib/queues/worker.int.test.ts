import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createTestQueues } from "../testing/queues.ts";
import type { TestQueues } from "../testing/queues.ts";
import { createRedisServer } from "../testing/redis_server.ts";
import { until } from "../testing/until.ts";
import { queueOn } from "./connection.ts";
import { definitionOf } from "./definitions.ts";
import type { QueueDefinition } from "./definitions.ts";
import { queueDepths } from "./depths.ts";

let queues: TestQueues;
beforeEach(async () => {
  queues = await createTestQueues();
});
afterEach(() => queues.close());

const payload = { business_id: "01900000-0000-7000-8000-000000000001" };
const hasty: QueueDefinition = { ...definitionOf("high"), timeoutMs: 100, backoff: { baseMs: 1, maxMs: 2 } };
const letters = async () => (await queues.deadLetters.list("high")).letters;
const deadLetter = () => until(async () => (await letters())[0], { what: "a dead letter" });

test("a job that nobody knows becomes a dead letter that says so", async () => {
  await queues.serve("high", {});
  await (await queueOn(queues.redis, "high")).add("no_such_job", { secret: "content" });
  const letter = await deadLetter();
  expect(letter).toMatchObject({ job: "no_such_job", payload: null, attempts: 1 });
  expect(letter.reason).toContain('no job "no_such_job"');
  expect(JSON.stringify(queues.lines)).not.toContain("content");
});

test("a known job without a handler in this version becomes a dead letter", async () => {
  await queues.serve("high", {});
  await queues.producer.wake("send", payload);
  expect((await deadLetter()).reason).toContain('no job "send"');
});

test("a payload that breaks its schema becomes a dead letter, and its content is not logged", async () => {
  let runs = 0;
  await queues.serve("high", {
    send: async () => {
      runs += 1;
      return {};
    },
  });
  await (await queueOn(queues.redis, "high")).add("send", { business_id: "x", text: "content" }, { attempts: 5 });
  const letter = await deadLetter();
  expect(letter.reason).toContain("business_id");
  expect(letter.payload).toBeNull();
  expect(runs).toBe(0);
  expect(JSON.stringify(queues.lines)).not.toContain("content");
});

test("a run that throws is tried again as often as its queue says, then is a dead letter with its reason", async () => {
  let runs = 0;
  await queues.serve(
    "high",
    {
      send: async () => {
        runs += 1;
        throw new Error(`broken pipe ${runs}`);
      },
    },
    { definition: hasty },
  );
  await queues.producer.wake("send", payload);
  const letter = await deadLetter();
  expect(runs).toBe(definitionOf("high").attempts);
  expect(letter).toMatchObject({ job: "send", payload, reason: `broken pipe ${runs}`, attempts: runs });
  const outcomes = queues.lines.filter((line) => line["msg"] === "job").map((line) => line["outcome"]);
  expect(outcomes).toEqual([...Array.from({ length: runs - 1 }, () => "failed"), "dead"]);
});

test("a run that outlasts its time is aborted and tried again", async () => {
  const aborted: boolean[] = [];
  await queues.serve(
    "high",
    {
      send: async ({ attempt, signal }) => {
        if (attempt > 1) return {};
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        aborted.push(signal.aborted);
        return {};
      },
    },
    { definition: hasty },
  );
  await queues.producer.wake("send", payload);
  await until(() => queues.lines.find((line) => line["outcome"] === "done"), { what: "the second run" });
  expect(aborted).toEqual([true]);
  expect(queues.lines.find((line) => line["outcome"] === "failed")).toMatchObject({ attempt: 1 });
});

test("a run that ignores its signal cannot hold the queue", async () => {
  const never = Promise.withResolvers<never>();
  await queues.serve(
    "high",
    { send: async ({ attempt }) => (attempt === 1 ? never.promise : {}) },
    { definition: { ...hasty, concurrency: 1 } },
  );
  await queues.producer.wake("send", payload);
  await until(() => queues.lines.find((line) => line["outcome"] === "done"), { what: "the second run" });
});

test("each run logs one line with its ids, its outcome and what it did", async () => {
  await queues.serve("high", { send: async () => ({ counts: { sent: 3 } }) });
  await queues.producer.wake("send", payload);
  const line = await until(() => queues.lines.find((one) => one["msg"] === "job"), { what: "the line" });
  expect(line).toMatchObject({ queue: "high", job: "send", attempt: 1, outcome: "done", sent: 3, ...payload });
  expect(line["job_id"]).toBeString();
});

test("runs, waits, failures and depths are counted", async () => {
  await queues.serve("high", { send: async () => ({}) });
  await queues.producer.wake("send", payload);
  await until(() => queues.lines.length > 0, { what: "a run" });
  const text = await queues.metrics.registry.metrics();
  expect(text).toContain('prosaas_jobs_total{queue="high",job="send",outcome="done",service="test"} 1');
  expect(text).toContain('prosaas_job_wait_seconds_count{service="test",queue="high",job="send"} 1');
  expect(text).toContain('prosaas_queue_depth{queue="high",state="dead",service="test"} 0');
  expect(text).toContain('prosaas_queue_depth{queue="recordings",state="waiting",service="test"} 0');
});

test("a worker that stops lets its run end; one that takes too long is handed to another worker", async () => {
  const begun = Promise.withResolvers<void>();
  const first = await queues.serve("high", {
    send: ({ signal }) => {
      begun.resolve();
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
    },
  });
  await queues.producer.wake("send", payload);
  await begun.promise;
  await first.close(50);
  expect((await queueDepths(queues.redis, ["high"]))[0]).toMatchObject({ active: 0, dead: 0 });
  await queues.serve("high", { send: async () => ({}) });
  await until(() => queues.lines.find((line) => line["outcome"] === "done"), { what: "the run at the other worker" });
});

test("a handler learns that the process stops and may hand its job back at once", async () => {
  const begun = Promise.withResolvers<void>();
  const worker = await queues.serve("high", {
    send: async ({ stopping }) => {
      begun.resolve();
      await new Promise((resolve) => stopping.addEventListener("abort", resolve, { once: true }));
      return { again: { inMs: 0, reason: "stopping" } };
    },
  });
  await queues.producer.wake("send", payload);
  await begun.promise;
  await worker.close(60_000);
  const [depth] = await queueDepths(queues.redis, ["high"]);
  expect(depth!.waiting + depth!.delayed).toBe(1);
});

test("the job of a worker killed with -9 runs again at another", async () => {
  const url = `${queues.redis.options.host}:${queues.redis.options.port}/${queues.redis.options.db}`;
  const script = `
    import { createRedis } from "${import.meta.dir}/../redis/client.ts";
    import { Worker } from "bullmq";
    new Worker("high", () => { console.log("begun"); return new Promise(() => {}); },
      { connection: createRedis("redis://${url}", "queue"), prefix: "prosaas", lockDuration: 500, stalledInterval: 200 });
  `;
  const victim = Bun.spawn([process.execPath, "-e", script], {
    cwd: import.meta.dir,
    stdout: "pipe",
    stderr: "inherit",
  });
  try {
    await queues.producer.wake("send", payload);
    const { value } = await victim.stdout.getReader().read();
    expect(new TextDecoder().decode(value)).toContain("begun");
  } finally {
    victim.kill("SIGKILL");
    await victim.exited;
  }
  await queues.serve(
    "high",
    { send: async ({ attempt }) => ({ counts: { began: attempt } }) },
    { recovery: { lockMs: 500, checkMs: 200 } },
  );
  const line = await until(() => queues.lines.find((one) => one["outcome"] === "done"), {
    what: "the run at another worker",
  });
  expect(line).toMatchObject({ attempt: 1, ...payload });
  expect(await letters()).toEqual([]);
});

test("attempts count the runs in a row that got nowhere, and begin again after one that got somewhere", async () => {
  const attempts: number[] = [];
  const progress = [false, false, true, false, false];
  await queues.serve("high", {
    send: async ({ attempt }) => {
      attempts.push(attempt);
      const progressed = progress.shift();
      return progressed === undefined ? {} : { again: { inMs: 0, reason: "more to do", progressed } };
    },
  });
  await queues.producer.wake("send", payload);
  await until(() => queues.lines.find((line) => line["outcome"] === "done"), { what: "the last run" });
  expect(attempts).toEqual([1, 2, 3, 1, 2, 3]);
  expect(await letters()).toEqual([]);
});

test("a worker outlives a restart of Redis and serves again within seconds of its return", async () => {
  const server = await createRedisServer();
  server.start();
  const restarted = await createTestQueues(server.url);
  try {
    let runs = 0;
    const send = async () => {
      runs += 1;
      return {};
    };
    await restarted.serve("high", { send });
    await restarted.producer.wake("send", payload);
    await until(() => runs === 1, { what: "a run before the restart" });
    await server.stop();
    server.start();
    const back = performance.now();
    await restarted.producer.wake("send", payload);
    await until(() => runs === 2, { what: "a run after the restart" });
    expect(performance.now() - back).toBeLessThan(5_000);
  } finally {
    await restarted.close();
    await server.stop();
  }
}, 30_000);

test("what is urgent is taken before what came earlier and may wait, and both count as waiting", async () => {
  const high = await queueOn(queues.redis, "high");
  await high.pause();
  const webhook_id = "01900000-0000-7000-8000-000000000009";
  await queues.producer.wake("deliver", { webhook_id });
  await queues.producer.wake("send", payload);
  const [depth] = await queueDepths(queues.redis, ["high"]);
  expect(depth).toMatchObject({ waiting: 2 });
  expect(depth!.oldestMs).not.toBeNull();
  const order: string[] = [];
  const note = (job: string) => async () => {
    order.push(job);
    return {};
  };
  await queues.serve(
    "high",
    { deliver: note("deliver"), send: note("send") },
    { definition: { ...definitionOf("high"), concurrency: 1 } },
  );
  await high.resume();
  await until(() => order.length === 2, { what: "both" });
  expect(order).toEqual(["send", "deliver"]);
});

test("a job that kills every process that runs it ends as a dead letter", async () => {
  const { host, port, db } = queues.redis.options;
  const script = `
    import { createRedis } from "${import.meta.dir}/../redis/client.ts";
    import { createLogger } from "${import.meta.dir}/../runtime/log.ts";
    import { createQueueWorker } from "${import.meta.dir}/worker.ts";
    const nothing = { of: () => ({ waited() {}, ran() {} }), stalled() {}, error() {} };
    createQueueWorker({
      queue: "high",
      redis: createRedis("redis://${host}:${port}/${db}", "queue"),
      handlers: { send: async () => process.kill(process.pid, "SIGKILL") },
      logger: createLogger("victim", "error"),
      metrics: nothing,
      recovery: { lockMs: 300, checkMs: 100 },
    });
  `;
  await queues.producer.wake("send", payload);
  let deaths = 0;
  let over = false;
  const supervisor = (async () => {
    while (!over) {
      const victim = Bun.spawn([process.execPath, "-e", script], {
        cwd: import.meta.dir,
        stdout: "ignore",
        stderr: "inherit",
      });
      const ended = setInterval(() => over && victim.kill("SIGKILL"), 50);
      await victim.exited;
      clearInterval(ended);
      if (!over) deaths += 1;
    }
  })();
  const letter = await until(async () => (await letters())[0], { what: "a dead letter", deadlineMs: 60_000 }).finally(
    () => (over = true),
  );
  await supervisor;
  expect(letter).toMatchObject({ job: "send", payload });
  expect(letter.reason).toContain("stalled");
  expect(deaths).toBeGreaterThan(1);
  expect(deaths).toBeLessThan(10);
}, 90_000);

test("a job that asks for a run in the past does not spin", async () => {
  let runs = 0;
  await queues.serve("high", {
    send: async () => {
      runs += 1;
      return { again: { inMs: -3_600_000, reason: "an end in the past" } };
    },
    deliver: async ({ attempt }) => (attempt < 4 ? { again: { inMs: 500, reason: "the clock of this test" } } : {}),
  });
  await queues.producer.wake("send", payload);
  await queues.producer.wake("deliver", { webhook_id: payload.business_id });
  await until(() => queues.lines.some((line) => line["job"] === "deliver" && line["outcome"] === "done"), {
    what: "1.5 s",
  });
  expect(runs).toBeGreaterThan(1);
  expect(runs).toBeLessThan(12);
  expect(queues.lines).toContainEqual(expect.objectContaining({ msg: "wait in the past", asked_ms: -3_600_000 }));
});

describe("the share of a business", () => {
  const other = "01900000-0000-7000-8000-000000000002";
  const definition: QueueDefinition = { ...definitionOf("media"), concurrency: 4, businessShare: 2 };
  const media = (n: number) => `01900000-0000-7000-9000-${String(n).padStart(12, "0")}`;

  test("leaves slots to others, and no job is lost", async () => {
    const hung = Promise.withResolvers<void>();
    const running = new Map<string, number>();
    let most = 0;
    const done = new Set<string>();
    const describe_media = async ({
      payload: { business_id, media_id },
    }: {
      payload: { business_id: string; media_id: string };
    }) => {
      running.set(business_id, (running.get(business_id) ?? 0) + 1);
      most = Math.max(most, running.get(business_id)!);
      if (business_id === payload.business_id) await hung.promise;
      running.set(business_id, running.get(business_id)! - 1);
      done.add(media_id);
      return {};
    };
    for (let n = 0; n < 12; n++) await queues.producer.wake("describe_media", { ...payload, media_id: media(n) });
    await queues.serve("media", { describe_media }, { definition });
    await until(() => running.get(payload.business_id) === 2, { what: "two runs" });
    await queues.producer.wake("describe_media", { business_id: other, media_id: media(99) });
    await until(() => done.has(media(99)), { what: "the job of another business" });
    hung.resolve();
    await until(() => done.size === 13, { what: "every job", deadlineMs: 20_000 });
    expect(most).toBe(2);
  }, 30_000);
});
