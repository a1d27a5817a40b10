import { Queue, Worker } from "bullmq";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { closeQueues, queueOn } from "../../../lib/queues/connection.ts";
import { createJobMetrics } from "../../../lib/queues/job_metrics.ts";
import { createProducer, createQueueWorker, definitionOf } from "../../../lib/queues/index.ts";
import { createRedis } from "../../../lib/redis/client.ts";
import { createLogger } from "../../../lib/runtime/log.ts";
import { createMetrics } from "../../../lib/runtime/metrics.ts";

export type EmptyJobs = {
  jobsPerS: number;
  bareJobsPerS: number;
  /** Median of what the rounds gave: a round and its baseline ran one after the other. */
  ratio: number;
};

const concurrency = definitionOf("high").concurrency;

/**
 * How many jobs that do nothing one worker gets through: ours, with parsing, timing, logging and counting, beside bare
 * BullMQ with the same number at once. Short rounds take turns, so that whatever else the machine does befalls both.
 */
export async function measureEmptyJobs(redisUrl: string, { jobs, rounds }: { jobs: number; rounds: number }): Promise<EmptyJobs> {
  const [ours, bare]: [number[], number[]] = [[], []];
  // Some of each first, for the compiler.
  await oursOnce(redisUrl, jobs);
  await bareOnce(redisUrl, jobs);
  for (let round = 0; round < rounds; round++) {
    ours.push(await oursOnce(redisUrl, jobs));
    bare.push(await bareOnce(redisUrl, jobs));
  }
  return { jobsPerS: median(ours), bareJobsPerS: median(bare), ratio: median(ours.map((rate, round) => rate / bare[round]!)) };
}

export async function oursOnce(redisUrl: string, jobs: number): Promise<number> {
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
        return { counts: { sent: 1 } };
      },
    },
    // As in production: a line for each job.
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

export async function bareOnce(redisUrl: string, jobs: number): Promise<number> {
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
