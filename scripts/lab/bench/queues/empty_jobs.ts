import { Queue, Worker } from "bullmq";
import { uuidv7 } from "../../../../lib/core/ids.ts";
import { closeQueues, queueOn } from "../../../../lib/queues/connection.ts";
import { createJobMetrics } from "../../../../lib/queues/job_metrics.ts";
import { createProducer, createQueueWorker, definitionOf } from "../../../../lib/queues/index.ts";
import { createRedis } from "../../../../lib/redis/client.ts";
import { createLogger } from "../../../../lib/runtime/log.ts";
import { createMetrics } from "../../../../lib/runtime/metrics.ts";

/** Ratios are medians of what the rounds gave: a round and its baseline ran one after the other. */
export type EmptyJobs = {
  jobsPerS: number;
  bareJobsPerS: number;
  ratio: number;
  /** Of jobs that do nothing either, but report that they did something, and so are logged. */
  loggedJobsPerS: number;
  loggedRatio: number;
};

const concurrency = definitionOf("high").concurrency;

/**
 * How many jobs that do nothing one worker gets through: ours, with parsing, timing and counting, beside bare BullMQ
 * with the same number at once. Short rounds take turns, so that whatever else the machine does befalls all of them.
 */
export async function measureEmptyJobs(
  redisUrl: string,
  { jobs, rounds }: { jobs: number; rounds: number },
): Promise<EmptyJobs> {
  const [ours, logged, bare]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round <= rounds; round++) {
    ours.push(await oursOnce(redisUrl, jobs, { sent: 0 }));
    bare.push(await bareOnce(redisUrl, jobs));
    logged.push(await oursOnce(redisUrl, jobs, { sent: 1 }));
  }
  // The first was for the compiler.
  for (const rates of [ours, bare, logged]) rates.shift();
  const ratioOf = (rates: number[]) => median(rates.map((rate, round) => rate / bare[round]!));
  return {
    jobsPerS: median(ours),
    bareJobsPerS: median(bare),
    ratio: ratioOf(ours),
    loggedJobsPerS: median(logged),
    loggedRatio: ratioOf(logged),
  };
}

async function oursOnce(redisUrl: string, jobs: number, counts: Record<string, number>): Promise<number> {
  const redis = createRedis(redisUrl, "queue");
  await redis.flushdb();
  const producer = createProducer(redis);
  const queue = await queueOn(redis, "high");
  await queue.pause();
  await inGroups(jobs, () => producer.wake("send", { business_id: uuidv7() }));
  await queue.resume();
  const metrics = createMetrics("bench");
  let done = 0;
  const all = Promise.withResolvers<void>();
  const start = performance.now();
  const worker = createQueueWorker({
    queue: "high",
    redis,
    handlers: {
      send: async () => {
        if (++done === jobs) all.resolve();
        return { counts };
      },
    },
    // As in production.
    logger: createLogger("bench", "info", { write: () => {} }),
    metrics: createJobMetrics(metrics, redis, []),
  });
  await all.promise;
  const seconds = (performance.now() - start) / 1000;
  await worker.close(1_000);
  await closeQueues(redis);
  redis.disconnect();
  return jobs / seconds;
}

async function bareOnce(redisUrl: string, jobs: number): Promise<number> {
  const redis = createRedis(redisUrl, "queue");
  await redis.flushdb();
  const queue = new Queue("bare", { connection: redis });
  await queue.pause();
  await inGroups(jobs, () => queue.add("send", { business_id: uuidv7() }, { removeOnComplete: true }));
  await queue.resume();
  let done = 0;
  const all = Promise.withResolvers<void>();
  const start = performance.now();
  const worker = new Worker(
    "bare",
    async () => {
      if (++done === jobs) all.resolve();
    },
    { connection: redis, concurrency },
  );
  await all.promise;
  const seconds = (performance.now() - start) / 1000;
  await worker.close();
  await queue.close();
  redis.disconnect();
  return jobs / seconds;
}

async function inGroups(count: number, add: () => Promise<unknown>): Promise<void> {
  for (let n = 0; n < count; n += 500) await Promise.all(Array.from({ length: Math.min(500, count - n) }, add));
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
