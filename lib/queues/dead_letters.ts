import type { Job } from "bullmq";
import type { Redis } from "ioredis";
import { AppError } from "../core/errors.ts";
import { answerOf } from "../redis/errors.ts";
import { queueOn } from "./connection.ts";
import { isJobOf, jobDefinition } from "./definitions.ts";
import type { QueueName } from "./definitions.ts";
import type { Producer } from "./producer.ts";

/** A job that exhausted its attempts or could never run, kept for replay. */
export type DeadLetter = {
  jobId: string;
  job: string;
  /** Ids only. Null if it breaks the job's schema, because it may then hold anything. */
  payload: Record<string, unknown> | null;
  reason: string;
  attempts: number;
  createdAt: Date;
  diedAt: Date;
};

export type DeadLetterPage = { letters: DeadLetter[]; total: number };

/** The dead letters of all queues. Every method throws AppError "unavailable" if Redis was never reached. */
export type DeadLetters = {
  /** Returns a page of a queue's dead letters, latest first. */
  list(queue: QueueName, range?: { offset?: number; limit?: number }): Promise<DeadLetterPage>;
  /** Enqueues the job again and removes the letter. Throws "not_found", or "conflict" if its job no longer exists. */
  replay(queue: QueueName, jobId: string): Promise<void>;
  /** Replays every letter whose job still exists. `left` counts the others, which remain. */
  replayAll(queue: QueueName): Promise<{ replayed: number; left: number }>;
  /** Removes a letter without replay. Throws "not_found". */
  discard(queue: QueueName, jobId: string): Promise<void>;
};

/** Replays in flight: enough to hide the round trips, few enough to leave Redis to other work. */
const maxConcurrentReplays = 32;

export function createDeadLetters(redis: Redis, producer: Pick<Producer, "wake">): DeadLetters {
  const find = async (queue: QueueName, jobId: string): Promise<Job> => {
    const client = await queueOn(redis, queue);
    const job = (await answerOf(client.getJob(jobId))) as Job | undefined;
    if (job === undefined || !(await answerOf(job.isFailed())))
      throw new AppError("not_found", `The queue ${queue} has no dead letter with this id.`);
    return job;
  };

  const revive = async (queue: QueueName, job: Job): Promise<void> => {
    if (!isJobOf(queue, job.name)) {
      throw new AppError("conflict", `The queue ${queue} no longer has a job "${job.name}". Discard the dead letter.`);
    }
    const parsed = jobDefinition(job.name).schema.safeParse(job.data);
    if (!parsed.success)
      throw new AppError("conflict", `The payload of this "${job.name}" is invalid. Discard the dead letter.`);
    // Enqueue first: after a crash in between the letter remains and can be replayed again. No job is lost.
    await producer.wake(job.name, parsed.data);
    await answerOf(job.remove());
  };

  return {
    list: async (queue, { offset = 0, limit = 50 } = {}) => {
      const client = await queueOn(redis, queue);
      const [dead, total] = await answerOf(
        Promise.all([client.getFailed(offset, offset + limit - 1), client.getFailedCount()]),
      );
      return { letters: present(dead as Job[]).map((job) => letterOf(queue, job)), total };
    },
    replay: async (queue, jobId) => revive(queue, await find(queue, jobId)),
    replayAll: async (queue) => {
      const client = await queueOn(redis, queue);
      const dead = present((await answerOf(client.getJobs(["failed"], 0, -1, true))) as Job[]);
      const tally = { replayed: 0, left: 0 };
      const replayNext = async (): Promise<void> => {
        for (let job = dead.shift(); job; job = dead.shift()) {
          try {
            await revive(queue, job);
            tally.replayed += 1;
          } catch (error) {
            if (!(error instanceof AppError) || error.code !== "conflict") throw error;
            tally.left += 1;
          }
        }
      };
      await Promise.all(Array.from({ length: maxConcurrentReplays }, replayNext));
      return tally;
    },
    discard: async (queue, jobId) => {
      const job = await find(queue, jobId);
      await answerOf(job.remove());
    },
  };
}

/** Filters out jobs that another process replayed between the listing of ids and the reading of each. */
function present(jobs: (Job | undefined)[]): Job[] {
  return jobs.filter((job): job is Job => job?.id !== undefined);
}

function letterOf(queue: QueueName, job: Job): DeadLetter {
  const parsed = isJobOf(queue, job.name) ? jobDefinition(job.name).schema.safeParse(job.data) : undefined;
  return {
    jobId: job.id ?? "",
    job: job.name,
    payload: parsed?.success ? parsed.data : null,
    reason: job.failedReason ?? "unknown",
    attempts: job.attemptsMade,
    createdAt: new Date(job.timestamp),
    diedAt: new Date(job.finishedOn ?? job.timestamp),
  };
}
