import type { Redis } from "ioredis";
import { createRedis } from "../redis/client.ts";
import { createLogger } from "../runtime/log.ts";
import { createMetrics } from "../runtime/metrics.ts";
import { testRedisUrl } from "./servers.ts";
import { queueNames } from "../queues/definitions.ts";
import type { QueueDefinition, QueueName } from "../queues/definitions.ts";
import { createDeadLetters } from "../queues/dead_letters.ts";
import { createJobMetrics } from "../queues/job_metrics.ts";
import { createProducer } from "../queues/producer.ts";
import { createQueueWorker } from "../queues/worker.ts";
import type { Handlers } from "../queues/run.ts";
import type { QueueWorker, QueueWorkerOptions } from "../queues/worker.ts";

/** Jobs that no version knows become dead letters soon. */
const versionWaits = { baseMs: 1, maxMs: 2, refusals: 2 };

/**
 * Empties the Redis database and creates a producer and workers on demand, with their log lines. They use the
 * connection `served` if it is given; `redis` is the test's own connection.
 */
export async function createTestQueues(url = testRedisUrl(), served?: Redis) {
  const own = createRedis(url, "queue");
  await own.flushdb();
  const redis = served ?? own;
  const producer = createProducer(redis);
  const metrics = createMetrics("test");
  const jobMetrics = createJobMetrics(metrics, redis, queueNames);
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger("test", "debug", { write: (line: string) => void lines.push(JSON.parse(line)) });
  const workers: QueueWorker[] = [];
  return {
    redis: own,
    producer,
    deadLetters: createDeadLetters(redis, producer),
    metrics,
    lines,
    /** Starts a worker of a queue. `close` closes it. */
    serve: async (
      queue: QueueName,
      handlers: Handlers,
      options: Partial<QueueWorkerOptions> & { definition?: QueueDefinition } = {},
    ) => {
      const worker = createQueueWorker({
        queue,
        redis,
        handlers,
        logger,
        metrics: jobMetrics,
        versionWaits,
        ...options,
      });
      workers.push(worker);
      await worker.ready();
      return worker;
    },
    close: async () => {
      await Promise.all(workers.map((worker) => worker.close(0)));
      await producer.close();
      redis.disconnect();
      own.disconnect();
    },
  };
}

export type TestQueues = Awaited<ReturnType<typeof createTestQueues>>;
