import { z } from "zod";
import { mediaKinds } from "../media/kinds.ts";

/*
 * The single source of truth about queues: nothing else names one, and nothing else says how its jobs are run.
 *
 * Every job is a wake-up: it says that something has work, in ids, and carries none of it. Postgres and the
 * shards' journals hold the work. So a job may be lost, doubled or run late without harm, and its payload may be
 * logged.
 */

/** The worker processes, by urgency of what they serve: a group never waits for another's work. */
export const groups = ["high", "default", "low"] as const;
export type Group = (typeof groups)[number];

/** What WORKER_GROUP may say: one group, or every queue in one process. */
export const profiles = [...groups, "all"] as const;
export type Profile = (typeof profiles)[number];

/** No run may ask to be run again later than this: whoever waits for longer is woken by a sweep. */
export const longestWaitMs = 60_000;

export type QueueDefinition = {
  group: Group;
  /** Jobs that one process runs at once. */
  concurrency: number;
  /** Runs that may throw before the job is a dead letter. A postponed run is not counted. */
  attempts: number;
  /** Delay after a run that threw: doubles from `baseMs` to `maxMs`, half of it jitter. */
  backoff: { baseMs: number; maxMs: number };
  /** A run that takes longer is aborted and counts as one that threw. */
  timeoutMs: number;
  /** How many dead letters are kept, and how long. What succeeded is not kept: the log line and the metrics are. */
  deadLetters: { count: number; ageS: number };
  /** Most runs at once of a job that waits for strangers, so that the others always have room. One process, as `concurrency`. */
  shares?: Record<string, number>;
  /** Most runs at once of one business, for jobs whose payload names it: a stranger may give it thousands. One process. */
  businessShare?: number;
  /** Jobs that give way to all others of the queue that wait. */
  yielding?: readonly string[];
  /** The jobs of the queue, each with the schema of its payload. A name belongs to one queue only. */
  jobs: Record<string, z.ZodObject>;
};

const shard = z.strictObject({ shard: z.int().min(1) });
const business = z.strictObject({ business_id: z.uuid() });
const broadcast = z.strictObject({ broadcast_id: z.uuid() });
const webhook = z.strictObject({ webhook_id: z.uuid() });
const media = z.strictObject({ business_id: z.uuid(), media_id: z.uuid() });
const nothing = z.strictObject({});

const day = 86_400;
/** Up to 2 KB each (ids, and a message of 500 characters): 10 MB a queue; lib/testing/key_families.ts has the sum. */
const deadLetters = { count: 5_000, ageS: 14 * day };
/** A wake-up that threw costs little to run again and somebody waits for it. */
const urgent = { attempts: 8, backoff: { baseMs: 250, maxMs: 15_000 } };
/** Slow work against slow peers: minutes between attempts are in order. */
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
};

export const queues = {
  /*
   * Almost all of a send's time is spent waiting for a shard, so one process serves many businesses at once:
   * 64 is a shard's 50 sessions and some. Endpoints of webhooks are strangers that may hang: however many do, the
   * sends keep half of the places.
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
    jobs: { session_events: shard },
  },
  /* One run empties one shard's stream: 16 shards at once keep a Postgres pool of a few connections busy. */
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
  /* Moves run here: eight businesses of a process are silent at once, and the others are not until it is their turn. */
  low: {
    group: "low",
    concurrency: 8,
    ...patient,
    timeoutMs: 120_000,
    deadLetters,
    jobs: { move: z.strictObject({ move_id: z.uuid() }) },
  },
  /* Each runs once at a time and has a place of its own: what takes long holds up no sweep. */
  maintenance: {
    group: "low",
    concurrency: Object.keys(upkeep).length,
    ...patient,
    timeoutMs: 60_000,
    deadLetters: { count: 1_000, ageS: 2 * day },
    jobs: upkeep,
  },
  /* Like sends, these wait for shards most of the time. They have processes of their own, so no send waits for them. */
  broadcasts: {
    group: "low",
    concurrency: 32,
    ...urgent,
    timeoutMs: 120_000,
    deadLetters,
    jobs: { broadcast, send_broadcasts: business },
  },
  /* Media are bytes in memory and CPU in thumbnails: few at once. */
  media: {
    group: "low",
    concurrency: 4,
    ...patient,
    timeoutMs: 300_000,
    deadLetters,
    // Each may wait for the decoder or for 100 MB: half of the slots are left to other businesses.
    businessShare: 2,
    // Somebody waits for a message that is to be sent; of what is received a thousand may come at once.
    yielding: ["fetch_media", "describe_media"],
    jobs: {
      fetch_media: z.strictObject({ business_id: z.uuid(), message_id: z.uuid() }),
      describe_media: media,
      prepare_media: media.extend({ kind: z.enum(mediaKinds) }),
    },
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
/** What a wake-up of `J` says. */
export type Payload<J extends JobName> = Payloads[J];

export type JobDefinition<J extends JobName> = { queue: QueueName; schema: z.ZodType<Payload<J>> };

const jobs = new Map<string, { queue: QueueName; schema: z.ZodObject }>(
  queueNames.flatMap((queue) =>
    Object.entries(queues[queue].jobs).map(([job, schema]) => [job, { queue, schema }] as const),
  ),
);

export const jobNames = [...jobs.keys()] as JobName[];

/** The definition of a queue, without its literal types. */
export function definitionOf(queue: QueueName): QueueDefinition {
  return queues[queue];
}

/** The queue and the payload schema of a job. */
export function jobDefinition<J extends JobName>(job: J): JobDefinition<J> {
  return jobs.get(job) as unknown as JobDefinition<J>;
}

/** Does `queue` know a job of this name? */
export function isJobOf(queue: QueueName, name: string): name is JobName {
  return jobs.get(name)?.queue === queue;
}

/** The queues that a worker of this profile serves. */
export function queuesOf(profile: Profile): QueueName[] {
  return queueNames.filter((name) => profile === "all" || queues[name].group === profile);
}

export type Schedule = { [J in JobName]: { job: J; payload: Payload<J>; everyMs: number } }[JobName];

/**
 * Jobs that run by the clock, once in all replicas. The sweep's period bounds how long a message waits whose
 * wake-up was lost; an idle sweep is one index lookup, so seconds are cheap.
 */
export const schedules: readonly Schedule[] = [
  { job: "sweep", payload: {}, everyMs: 5_000 },
  { job: "sweep_moves", payload: {}, everyMs: 5_000 },
  { job: "expire_deliveries", payload: {}, everyMs: 60_000 },
  { job: "sync_receipts", payload: {}, everyMs: 60_000 },
  { job: "sweep_media", payload: {}, everyMs: 15_000 },
  { job: "remove_media", payload: {}, everyMs: 600_000 },
  { job: "forget", payload: {}, everyMs: 600_000 },
  { job: "purge_businesses", payload: {}, everyMs: 600_000 },
  { job: "keep_partitions", payload: {}, everyMs: 3_600_000 },
  { job: "fetch_recordings", payload: {}, everyMs: 30_000 },
];
