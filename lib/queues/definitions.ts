import { z } from "zod";

/*
 * The single source of truth about queues: their names, their jobs and how they are run.
 *
 * Every job is a wake-up. Its payload holds only the ids of what has work; the work itself is in Postgres and in the
 * shards' journals. A job may therefore be lost, duplicated or late without harm, and its payload may be logged.
 */

/** Groups of worker processes, by urgency. No group waits for another group's work. */
export const groups = ["high", "default", "low"] as const;
export type Group = (typeof groups)[number];

/** The values of WORKER_GROUP: one group, or every queue in one process. */
export const profiles = [...groups, "all"] as const;
export type Profile = (typeof profiles)[number];

/** Longest delay of a postponed run. For anything that waits longer, a sweep enqueues a wake-up. */
export const maxPostponementMs = 60_000;

export type QueueDefinition = {
  group: Group;
  /** Concurrent runs per process. */
  concurrency: number;
  /** Failed runs until the job becomes a dead letter. Postponed runs do not count. */
  attempts: number;
  /** Backoff after a failed run: doubles from `baseMs` to `maxMs`, half of it jitter. */
  backoff: { baseMs: number; maxMs: number };
  /** A run that takes longer is aborted and counts as failed. */
  timeoutMs: number;
  /** Retention of dead letters. Completed jobs are not kept; the log and the metrics record them. */
  deadLetters: { count: number; ageS: number };
  /** Concurrent runs per process and job, for jobs that depend on external hosts. Leaves slots to the other jobs. */
  shares?: Record<string, number>;
  /** Concurrent runs per process and business, for payloads with a `business_id`. Leaves slots to other businesses. */
  businessShare?: number;
  /** Slots that only a business without one may take, so that a few businesses together never hold all. */
  reservedSlots?: number;
  /** Jobs of low priority: every other waiting job of the queue runs first. */
  yielding?: readonly string[];
  /** The jobs of the queue, each with the schema of its payload. A name belongs to one queue only. */
  jobs: Record<string, z.ZodObject>;
};

const shard = z.strictObject({ shard: z.int().min(1) });
const business = z.strictObject({ business_id: z.uuid() });
const broadcast = z.strictObject({ broadcast_id: z.uuid() });
const webhook = z.strictObject({ webhook_id: z.uuid() });
/** Loose: wake-ups of earlier releases also name a file. */
const businessWithFiles = z.object({ business_id: z.uuid() });
const nothing = z.strictObject({});

const day = 86_400;
/** Up to 2 KB each (ids, and a message of 500 characters): 10 MB a queue; lib/testing/key_families.ts has the sum. */
const deadLetters = { count: 5_000, ageS: 14 * day };
/** Someone waits for the result, and a retry costs little. */
const urgent = { attempts: 8, backoff: { baseMs: 250, maxMs: 15_000 } };
/** Slow work against slow peers: retries may be minutes apart. */
const patient = { attempts: 10, backoff: { baseMs: 2_000, maxMs: 300_000 } };

const upkeep = {
  sweep: nothing,
  sweep_moves: nothing,
  expire_deliveries: nothing,
  forget: nothing,
  purge_businesses: nothing,
  keep_partitions: nothing,
  sweep_media: nothing,
  remove_media: nothing,
  replay_quarantine: nothing,
};

export const queues = {
  /*
   * A send spends almost all of its time waiting for a shard, so one process serves many businesses at once: 64 is a
   * shard's 50 sessions and some more. Webhook endpoints may hang, so deliveries get at most half of the slots.
   */
  high: {
    group: "high",
    concurrency: 64,
    ...urgent,
    timeoutMs: 120_000,
    deadLetters,
    shares: { deliver: 32 },
    yielding: ["deliver"],
    jobs: { send: business, inbound: shard, deliver: webhook },
  },
  default: {
    group: "default",
    concurrency: 16,
    ...urgent,
    timeoutMs: 60_000,
    deadLetters,
    // A merge rewrites a history, so most slots are left to what a session reports.
    shares: { merge_chats: 4 },
    jobs: { session_events: shard, identities: shard, merge_chats: business },
  },
  /* One run drains one shard's stream: 16 concurrent shards keep a Postgres pool of a few connections busy. */
  receipts: {
    group: "default",
    concurrency: 16,
    ...urgent,
    timeoutMs: 60_000,
    deadLetters,
    jobs: { receipts: shard },
  },
  receipts_sync: {
    group: "default",
    concurrency: 4,
    ...patient,
    timeoutMs: 60_000,
    deadLetters,
    jobs: { sync_receipts: nothing },
  },
  /* Moves: a business is paused while it moves, so a process pauses at most eight at once. */
  low: {
    group: "low",
    concurrency: 8,
    ...patient,
    timeoutMs: 120_000,
    deadLetters,
    jobs: { move: z.strictObject({ move_id: z.uuid() }) },
  },
  /* Each job runs once at a time and has a slot of its own, so that a slow one delays no sweep. */
  maintenance: {
    group: "low",
    concurrency: Object.keys(upkeep).length,
    ...patient,
    timeoutMs: 60_000,
    deadLetters: { count: 1_000, ageS: 2 * day },
    jobs: upkeep,
  },
  /* Like sends, these mostly wait for shards. They have processes of their own, so that no send waits for them. */
  broadcasts: {
    group: "low",
    concurrency: 32,
    ...urgent,
    timeoutMs: 120_000,
    deadLetters,
    jobs: { broadcast, send_broadcasts: business },
  },
  /*
   * Media need memory for the bytes and CPU for thumbnails, so few run at once. A job is one business's turn at a few
   * files (workers/media/file_turn.ts), so that thousands of files of one business delay no other.
   */
  media: {
    group: "low",
    concurrency: 4,
    ...patient,
    timeoutMs: 300_000,
    deadLetters,
    // A run may wait for the decoder or for 100 MB, so half of the slots are left to other businesses.
    businessShare: 2,
    reservedSlots: 1,
    // A message to be sent waits for prepare_media.
    yielding: ["fetch_media", "describe_media"],
    jobs: { fetch_media: businessWithFiles, describe_media: businessWithFiles, prepare_media: businessWithFiles },
  },
  recordings: {
    group: "low",
    concurrency: 4,
    ...patient,
    timeoutMs: 300_000,
    deadLetters,
    jobs: { fetch_recordings: nothing },
  },
} as const satisfies Record<string, QueueDefinition>;

export type QueueName = keyof typeof queues;
export const queueNames = Object.keys(queues) as QueueName[];

type Jobs = { [Q in QueueName]: (typeof queues)[Q]["jobs"] }[QueueName];
type KeysOfAll<T> = T extends unknown ? keyof T : never;
type PayloadIn<J extends PropertyKey, T = Jobs> =
  T extends Record<J, infer S extends z.ZodObject> ? z.output<S> : never;

/** The name of a job, unique over the queues. */
export type JobName = Extract<KeysOfAll<Jobs>, string>;
export type Payloads = { [J in JobName]: PayloadIn<J> };
/** The payload of a wake-up of `J`. */
export type Payload<J extends JobName> = Payloads[J];

export type JobDefinition<J extends JobName> = { queue: QueueName; schema: z.ZodType<Payload<J>> };

const jobs = new Map<string, { queue: QueueName; schema: z.ZodObject }>(
  queueNames.flatMap((queue) =>
    Object.entries(queues[queue].jobs).map(([job, schema]) => [job, { queue, schema }] as const),
  ),
);

export const jobNames = [...jobs.keys()] as JobName[];

/** Returns the definition of a queue, without its literal types. */
export function definitionOf(queue: QueueName): QueueDefinition {
  return queues[queue];
}

/** Returns the queue and the payload schema of a job. */
export function jobDefinition<J extends JobName>(job: J): JobDefinition<J> {
  return jobs.get(job) as unknown as JobDefinition<J>;
}

/** True if `queue` has a job of this name. */
export function isJobOf(queue: QueueName, name: string): name is JobName {
  return jobs.get(name)?.queue === queue;
}

/** Returns the queues that a worker of this profile serves. */
export function queuesOf(profile: Profile): QueueName[] {
  return queueNames.filter((name) => profile === "all" || queues[name].group === profile);
}

export type Schedule = { [J in JobName]: { job: J; payload: Payload<J>; everyMs: number } }[JobName];

/**
 * Periodic jobs; each runs once per period over all replicas. The period of `sweep` bounds the delay of a message whose
 * wake-up was lost. An idle sweep costs one index lookup, so a few seconds are cheap.
 */
export const schedules: readonly Schedule[] = [
  { job: "sweep", payload: {}, everyMs: 5_000 },
  { job: "sweep_moves", payload: {}, everyMs: 5_000 },
  { job: "expire_deliveries", payload: {}, everyMs: 60_000 },
  { job: "sync_receipts", payload: {}, everyMs: 60_000 },
  { job: "sweep_media", payload: {}, everyMs: 15_000 },
  { job: "remove_media", payload: {}, everyMs: 600_000 },
  { job: "forget", payload: {}, everyMs: 600_000 },
  { job: "replay_quarantine", payload: {}, everyMs: 60_000 },
  { job: "purge_businesses", payload: {}, everyMs: 600_000 },
  { job: "keep_partitions", payload: {}, everyMs: 3_600_000 },
  { job: "fetch_recordings", payload: {}, everyMs: 30_000 },
];
