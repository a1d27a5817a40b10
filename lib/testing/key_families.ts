/*
 * Every family of keys in Redis: the module that writes it, its bound, and its largest size in bytes. BullMQ requires
 * that Redis never evicts, so each family bounds itself. The fixed bounds leave more than half of the shipped job's
 * 512 MB to families that grow with the number of businesses: 600 bytes a pending wake-up, a lease or a limit. Live
 * events stop at 60 % (lib/events/memory_guard.ts). At 100 % Redis refuses writes: requests that need it are answered
 * 503 with Retry-After, rate limits and wake-ups are skipped, jobs and calls wait. All of it recovers once memory is
 * free.
 */

export type KeyFamily = {
  /** Matches the whole key. */
  pattern: RegExp;
  /** The module that writes it. */
  owner: string;
  /** The bound of its count, its bytes and its age, in words. */
  bound: string;
  /** Largest size in bytes, if it does not grow with the number of businesses, keys or calls. */
  fixedBytes?: number;
  /** Bytes for each business, key or call, if it does. */
  bytesEach?: number;
};

const MB = 1024 * 1024;

export const keyFamilies: readonly KeyFamily[] = [
  {
    pattern: /^prosaas:\{events\}:(all|tally|recent|[0-9a-f-]{36})$/,
    owner: "lib/events",
    bound:
      "entries of 2 KB; 8 MB for the stream of all, 256 KB a business, 24 MB for all businesses; 24 h; " +
      "none above 60 % of maxmemory",
    fixedBytes: 40 * MB,
  },
  {
    pattern: /^prosaas:[a-z_]+:(failed|events|id|meta|marker|stalled|stalled-check|metrics.*)$/,
    owner: "lib/queues",
    bound:
      "5,000 dead letters a queue for 14 days, 2 KB each, without stacks; 1,000 entries of BullMQ's events a queue; " +
      "9 queues",
    fixedBytes: 9 * 11 * MB,
  },
  {
    pattern: new RegExp(
      "^prosaas:[a-z_]+:" +
        "(wait|active|delayed|prioritized|paused|pc|limiter|priority|de:.*|dn:.*|repeat.*|[^:]+(:lock)?)$",
    ),
    owner: "lib/queues",
    bound:
      "one waiting job and one deduplicated successor for each job and payload; payloads are ids; " +
      "removed when done",
    bytesEach: 600,
  },
  {
    pattern: /^prosaas:lease:.+$/,
    owner: "services/workers/lease.ts",
    bound: "6 s without renewal; one for each business and kind of work",
    bytesEach: 200,
  },
  {
    pattern: /^prosaas:rate:.+$/,
    owner: "lib/redis/rate_limit.ts",
    bound: "two windows of a minute after the last request; one for each key in use",
    bytesEach: 200,
  },
  {
    pattern: /^prosaas:limit-told:[0-9a-f-]{36}:[a-z_]+$/,
    owner: "services/workers/sending/limits.ts",
    bound: "until the limit ends; two for each business",
    bytesEach: 150,
  },
  {
    pattern: /^prosaas:\{calls\}:(active|active:[0-9a-f-]{36}|server|unwritten|of:[0-9a-f-]{36})$/,
    owner: "lib/calls/capacity.ts, services/calls/state",
    bound: "leases of calls in progress, at most max_concurrent; sets of calls expire with their calls",
    bytesEach: 300,
  },
  {
    pattern: /^prosaas:\{calls\}:call:.+$/,
    owner: "services/calls/state",
    bound: "10 KB by the lengths of its fields; 25 h after its last change, 2 h after its end",
    bytesEach: 10_240,
  },
  {
    pattern: /^prosaas:\{calls\}:(per_day:[0-9a-f-]{36}|last_limit)$/,
    owner: "services/calls/state/daily_calls.ts, services/calls/call_limit.ts",
    bound: "two windows of 24 h after the last call; one for each business that dials; one key for the limit",
    bytesEach: 200,
  },
  {
    pattern: /^prosaas:\{calls\}:placing:[0-9a-f-]{36}:[0-9a-f]{64}$/,
    owner: "services/calls/state/dial_orders.ts",
    bound: "24 h; one for each call that the API dialled with an Idempotency-Key",
    bytesEach: 300,
  },
];

/** Returns the family of a key; undefined for an unknown, unbounded key. */
export function familyOf(key: string): KeyFamily | undefined {
  return keyFamilies.find(({ pattern }) => pattern.test(key));
}
