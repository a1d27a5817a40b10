import { describe, expect, test } from "bun:test";
import type { Queue } from "bullmq";
import { until } from "../testing/until.ts";
import { queueOn } from "./connection.ts";
import { definitionOf } from "./definitions.ts";
import type { QueueDefinition } from "./definitions.ts";
import { queueDepths } from "./depths.ts";
import { waitForVersion } from "./incompatible_job.ts";
import { useQueues } from "../testing/use_queues.ts";

const stage = useQueues();

const payload = { business_id: "01900000-0000-7000-8000-000000000001" };
const hasty: QueueDefinition = { ...definitionOf("high"), timeoutMs: 100, backoff: { baseMs: 1, maxMs: 2 } };
/** Longer than a test, so that a refused job stays delayed. */
const longWaits = { baseMs: 60_000, maxMs: 60_000, refusals: 5 };
const letters = async () => (await stage.queues.deadLetters.list("high")).letters;
const logged = (outcome: string) =>
  until(() => stage.queues.lines.find((line) => line["outcome"] === outcome), { what: `a run that is ${outcome}` });
const deadLetter = () => until(async () => (await letters())[0], { what: "a dead letter" });

describe("a rolling deploy", () => {
  const newer = (queue: Queue) => queue.add("job_of_a_newer_release", {}, { attempts: 5 });

  test("keeps a newer release's job for its worker", async () => {
    await stage.queues.serve("high", {}, { versionWaits: longWaits });
    await newer(await queueOn(stage.queues.redis, "high"));
    const line = await until(() => stage.queues.lines.find((one) => one["job"] === "job_of_a_newer_release"), {
      what: "the refusal",
    });
    expect(line).toMatchObject({ outcome: "postponed" });
    expect(await letters()).toEqual([]);
    expect(await (await queueOn(stage.queues.redis, "high")).getDelayedCount()).toBe(1);
  });

  test("keeps a newer release's payload for its worker", async () => {
    const send = async () => ({});
    const old = await stage.queues.serve("high", { send }, { versionWaits: longWaits });
    const high = await queueOn(stage.queues.redis, "high");
    await high.add("send", { ...payload, version: 2 }, { attempts: 5 });
    await logged("postponed");
    await old.close(0);
    expect(await letters()).toEqual([]);
    const [job] = await high.getDelayed();
    expect(job).toMatchObject({ name: "send", data: { version: 2 }, attemptsMade: 0 });
  });

  test("keeps no runs of a newer release's schedule", async () => {
    const high = await queueOn(stage.queues.redis, "high");
    await high.upsertJobScheduler("sweep_of_a_newer_release", { every: 100 }, { name: "sweep_of_a_newer_release" });
    const worker = await stage.queues.serve("high", {}, { versionWaits: longWaits });
    const refusals = () => stage.queues.lines.filter((one) => one["outcome"] === "skipped").length;
    await until(() => refusals() >= 3, { what: "three refusals" });
    await worker.close(0);
    // The next run of the schedule alone.
    expect(await high.getDelayedCount()).toBeLessThanOrEqual(1);
    expect(await letters()).toEqual([]);
  });

  test("counts refusals from zero after a failed run", async () => {
    const shortWaits = { baseMs: 1, maxMs: 1, refusals: 1_000 };
    const old = await stage.queues.serve("high", {}, { versionWaits: shortWaits });
    await stage.queues.producer.wake("send", payload);
    await logged("postponed");
    await old.close(0);
    const high = await queueOn(stage.queues.redis, "high");
    const [refused] = await high.getJobs(["delayed", "waiting", "prioritized"]);
    expect(refused!.progress).toMatchObject({ refused: expect.any(Number) });
    const send = async () => {
      throw new Error("broken pipe");
    };
    await stage.queues.serve("high", { send }, { definition: hasty });
    await deadLetter();
    expect((await high.getFailed())[0]!.progress).toMatchObject({ refused: 0 });
  });

  test("waits longer after each refusal, then gives up", () => {
    const waits = { baseMs: 1_000, maxMs: 15_000, refusals: 3 };
    for (const [refusals, mostMs] of [1_000, 2_000, 4_000].entries()) {
      const ms = waitForVersion(refusals, waits)!;
      expect(ms).toBeWithin(mostMs / 2, mostMs + 1);
    }
    expect(waitForVersion(3, waits)).toBeUndefined();
  });
});

describe("dead letters", () => {
  test("keep an unknown job and its reason", async () => {
    await stage.queues.serve("high", {});
    await (await queueOn(stage.queues.redis, "high")).add("no_such_job", { secret: "content" });
    const letter = await deadLetter();
    expect(letter).toMatchObject({ job: "no_such_job", payload: null, attempts: 1 });
    expect(letter.reason).toContain('no job "no_such_job"');
    expect(JSON.stringify(stage.queues.lines)).not.toContain("content");
  });

  test("keep a job without a handler", async () => {
    await stage.queues.serve("high", {});
    await stage.queues.producer.wake("send", payload);
    expect((await deadLetter()).reason).toContain('no job "send"');
  });

  test("keep an invalid payload, which is never logged", async () => {
    let runs = 0;
    const send = async () => {
      runs += 1;
      return {};
    };
    await stage.queues.serve("high", { send });
    const high = await queueOn(stage.queues.redis, "high");
    await high.add("send", { business_id: "x", text: "content" }, { attempts: 5 });
    const letter = await deadLetter();
    expect(letter.reason).toContain("business_id");
    expect(letter.payload).toBeNull();
    expect(runs).toBe(0);
    expect(JSON.stringify(stage.queues.lines)).not.toContain("content");
  });

  test("keep a job after the last retry", async () => {
    let runs = 0;
    await stage.queues.serve(
      "high",
      {
        send: async () => {
          runs += 1;
          throw new Error(`broken pipe ${runs}`);
        },
      },
      { definition: hasty },
    );
    await stage.queues.producer.wake("send", payload);
    const letter = await deadLetter();
    expect(runs).toBe(definitionOf("high").attempts);
    expect(letter).toMatchObject({ job: "send", payload, reason: `broken pipe ${runs}`, attempts: runs });
    const outcomes = stage.queues.lines.filter((line) => line["msg"] === "job").map((line) => line["outcome"]);
    expect(outcomes).toEqual([...Array.from({ length: runs - 1 }, () => "failed"), "dead"]);
  });
});

describe("timeout", () => {
  test("aborts the run and retries", async () => {
    const aborted: boolean[] = [];
    await stage.queues.serve(
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
    await stage.queues.producer.wake("send", payload);
    await logged("done");
    expect(aborted).toEqual([true]);
    expect(stage.queues.lines.find((line) => line["outcome"] === "failed")).toMatchObject({ attempt: 1 });
  });

  test("frees the slot of a hung run", async () => {
    const never = Promise.withResolvers<never>();
    await stage.queues.serve(
      "high",
      { send: async ({ attempt }) => (attempt === 1 ? never.promise : {}) },
      { definition: { ...hasty, concurrency: 1 } },
    );
    await stage.queues.producer.wake("send", payload);
    await logged("done");
  });
});

describe("observability", () => {
  test("logs one line per run with ids, outcome, counts", async () => {
    await stage.queues.serve("high", { send: async () => ({ counts: { sent: 3 } }) });
    await stage.queues.producer.wake("send", payload);
    const line = await until(() => stage.queues.lines.find((one) => one["msg"] === "job"), { what: "the line" });
    expect(line).toMatchObject({ queue: "high", job: "send", attempt: 1, outcome: "done", sent: 3, ...payload });
    expect(line["job_id"]).toBeString();
  });

  test("counts runs, waits, failures and depths", async () => {
    await stage.queues.serve("high", { send: async () => ({}) });
    await stage.queues.producer.wake("send", payload);
    await until(() => stage.queues.lines.length > 0, { what: "a run" });
    const text = await stage.queues.metrics.registry.metrics();
    expect(text).toContain('prosaas_jobs_total{queue="high",job="send",outcome="done",service="test"} 1');
    expect(text).toContain('prosaas_job_wait_seconds_count{service="test",queue="high",job="send"} 1');
    expect(text).toContain('prosaas_queue_depth{queue="high",state="dead",service="test"} 0');
    expect(text).toContain('prosaas_queue_depth{queue="recordings",state="waiting",service="test"} 0');
  });
});

describe("order and delay", () => {
  test("attempts restart at 1 after progress", async () => {
    const attempts: number[] = [];
    const progress = [false, false, true, false, false];
    await stage.queues.serve("high", {
      send: async ({ attempt }) => {
        attempts.push(attempt);
        const progressed = progress.shift();
        return progressed === undefined ? {} : { again: { inMs: 0, reason: "more to do", progressed } };
      },
    });
    await stage.queues.producer.wake("send", payload);
    await logged("done");
    expect(attempts).toEqual([1, 2, 3, 1, 2, 3]);
    expect(await letters()).toEqual([]);
  });

  test("runs urgent jobs before yielding ones", async () => {
    const high = await queueOn(stage.queues.redis, "high");
    await high.pause();
    const webhook_id = "01900000-0000-7000-8000-000000000009";
    await stage.queues.producer.wake("deliver", { webhook_id });
    await stage.queues.producer.wake("send", payload);
    const [depth] = await queueDepths(stage.queues.redis, ["high"]);
    expect(depth).toMatchObject({ waiting: 2 });
    expect(depth!.oldestMs).not.toBeNull();
    const order: string[] = [];
    const record = (job: string) => async () => {
      order.push(job);
      return {};
    };
    await stage.queues.serve(
      "high",
      { deliver: record("deliver"), send: record("send") },
      { definition: { ...definitionOf("high"), concurrency: 1 } },
    );
    await high.resume();
    await until(() => order.length === 2, { what: "both" });
    expect(order).toEqual(["send", "deliver"]);
  });

  test("a negative delay does not make the job spin", async () => {
    let runs = 0;
    const begun = performance.now();
    await stage.queues.serve("high", {
      send: async () => {
        runs += 1;
        return { again: { inMs: -3_600_000, reason: "a negative delay" } };
      },
      deliver: async ({ attempt }) => (attempt < 4 ? { again: { inMs: 500, reason: "the clock of this test" } } : {}),
    });
    await stage.queues.producer.wake("send", payload);
    await stage.queues.producer.wake("deliver", { webhook_id: payload.business_id });
    await until(() => stage.queues.lines.some((line) => line["job"] === "deliver" && line["outcome"] === "done"), {
      what: "1.5 s",
    });
    const elapsedMs = performance.now() - begun;
    expect(runs).toBeGreaterThan(1);
    // Twelve in 1.5 s, and no more on a machine where that takes longer.
    expect(runs).toBeLessThan((12 * elapsedMs) / 1_500);
    expect(stage.queues.lines).toContainEqual(
      expect.objectContaining({ msg: "wait in the past", asked_ms: -3_600_000 }),
    );
  });
});

describe("business share", () => {
  const other = "01900000-0000-7000-8000-000000000002";
  const definition: QueueDefinition = { ...definitionOf("media"), concurrency: 4, businessShare: 2 };

  test("leaves slots to others and loses no job", async () => {
    const hung = Promise.withResolvers<void>();
    const running = new Map<string, number>();
    let most = 0;
    const done: string[] = [];
    const work = async ({ payload: { business_id } }: { payload: { business_id: string } }) => {
      running.set(business_id, (running.get(business_id) ?? 0) + 1);
      most = Math.max(most, running.get(business_id)!);
      if (business_id === payload.business_id) await hung.promise;
      running.set(business_id, running.get(business_id)! - 1);
      done.push(business_id);
      return {};
    };
    const handlers = { fetch_media: work, describe_media: work, prepare_media: work };
    const names = ["fetch_media", "describe_media", "prepare_media"] as const;
    for (const job of names) await stage.queues.producer.wake(job, payload);
    await stage.queues.serve("media", handlers, { definition });
    await until(() => running.get(payload.business_id) === 2, { what: "two runs" });
    await stage.queues.producer.wake("describe_media", { business_id: other });
    await until(() => done.includes(other), { what: "the job of another business" });
    hung.resolve();
    await until(() => done.length === 4, { what: "every job" });
    expect(most).toBe(2);
  });
});
