import type { Job } from "bullmq";
import type { Redis } from "ioredis";
import { AppError } from "../core/errors.ts";
import { queueOn } from "./connection.ts";
import { isJobOf, jobDefinition } from "./definitions.ts";
import type { QueueName } from "./definitions.ts";
import type { Producer } from "./producer.ts";

/** A job that used up its attempts, or could never be run; kept for replay. */
export type DeadLetter = {
  jobId: string;
  job: string;
  /** Ids only; null where it does not satisfy the job's schema, because then nobody knows what it holds. */
  payload: Record<string, unknown> | null;
  reason: string;
  attempts: number;
  createdAt: Date;
  diedAt: Date;
};

export type DeadLetterPage = { letters: DeadLetter[]; total: number };

/** The dead letters of a queue, latest first. */
export async function listDeadLetters(redis: Redis, queue: QueueName, { offset = 0, limit = 50 } = {}): Promise<DeadLetterPage> {
  const client = await queueOn(redis, queue);
  const [dead, total] = await Promise.all([client.getFailed(offset, offset + limit - 1), client.getFailedCount()]);
  return { letters: (dead as Job[]).filter((job) => job?.id !== undefined).map((job) => letterOf(queue, job)), total };
}

/** Wakes a dead letter's job anew and drops the letter. Throws not_found, or conflict where its job is not known any more. */
export async function replayDeadLetter(redis: Redis, producer: Producer, queue: QueueName, jobId: string): Promise<void> {
  const job = await findDead(redis, queue, jobId);
  if (!isJobOf(queue, job.name)) {
    throw new AppError("conflict", `The queue ${queue} has no job "${job.name}" any more; discard the dead letter.`);
  }
  const parsed = jobDefinition(job.name).schema.safeParse(job.data);
  if (!parsed.success) {
    throw new AppError("conflict", `The payload of this ${job.name} is not valid; discard the dead letter.`);
  }
  // Woken first: a crash between the two leaves a letter whose replay does no harm, never a job that is gone.
  await producer.wake(job.name, parsed.data);
  await job.remove();
}

/** Replays every dead letter that can be replayed, oldest first; returns how many, and how many remain. */
export async function replayDeadLetters(redis: Redis, producer: Producer, queue: QueueName): Promise<{ replayed: number; left: number }> {
  const client = await queueOn(redis, queue);
  const dead = (await client.getJobs(["failed"], 0, -1, true)) as Job[];
  let replayed = 0;
  let left = 0;
  for (const { id } of dead) {
    if (id === undefined) continue;
    try {
      await replayDeadLetter(redis, producer, queue, id);
      replayed += 1;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (error.code === "conflict") left += 1;
    }
  }
  return { replayed, left };
}

/** Drops a dead letter for good. Throws not_found. */
export async function discardDeadLetter(redis: Redis, queue: QueueName, jobId: string): Promise<void> {
  await (await findDead(redis, queue, jobId)).remove();
}

async function findDead(redis: Redis, queue: QueueName, jobId: string): Promise<Job> {
  const job = (await (await queueOn(redis, queue)).getJob(jobId)) as Job | undefined;
  if (job === undefined || !(await job.isFailed())) {
    throw new AppError("not_found", `The queue ${queue} has no dead letter ${jobId}.`);
  }
  return job;
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
