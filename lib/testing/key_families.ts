/*
 * Every family of keys in Redis: who writes it, what bounds it, and how many bytes it takes at most. Redis never evicts,
 * because BullMQ demands it, so each family bounds itself. The sum of the fixed bounds leaves more than half of the
 * shipped job's 512 MB to what grows with the number of businesses: 600 bytes a wake-up that waits, a lease or a
 * limit. Live events stop at 60 % (lib/events/memory_guard.ts). At 100 % Redis refuses what adds: requests that need it
 * are answered 503 with Retry-After, rate limits and wake-ups are skipped, jobs and calls wait, and all of it
 * recovers by itself once memory is free.
 */

export type KeyFamily = {
  /** A key of the family matches it whole. */
  pattern: RegExp;
  /** The module that writes it. */
  owner: string;
  /** What bounds its count, its bytes and its age. */
  bound: string;
  /** Bytes at most, where the bound does not grow with the number of businesses, keys or calls. */
  fixedBytes?: number;
  /** Bytes a business, key or call, where it does. */
  bytesEach?: number;
};

const MB = 1024 * 1024;

export const keyFamilies: readonly KeyFamily[] = [
  {
    pattern: /^prosaas:\{events\}:(all|tally|recent|[0-9a-f-]{36})$/,
    owner: "lib/events",
    bound:
      "entries of 2 KB; 8 MB over all, 256 KB a business, 24 MB of businesses together; 24 h; none above 60 % of maxmemory",
    fixedBytes: 40 * MB,
  },
  {
    pattern: /^prosaas:[a-z_]+:(failed|events|id|meta|marker|stalled|stalled-check|metrics.*)$/,
    owner: "lib/queues",
    bound:
      "5,000 dead letters a queue for 14 days, 2 KB each, without stacks; 1,000 entries of BullMQ's events a queue; 9 queues",
    fixedBytes: 9 * 11 * MB,
  },
  {
    pattern:
      /^prosaas:[a-z_]+:(wait|active|delayed|prioritized|paused|pc|limiter|priority|de:.*|dn:.*|repeat.*|[^:]+(:lock)?)$/,
    owner: "lib/queues",
    bound:
      "one job that waits and one kept aside for each job and payload (deduplication); payloads are ids; none is kept once it is done",
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
    bound: "two windows of 24 h after the last call; one for each business that places calls; one key for the limit",
    bytesEach: 200,
  },
  {
    pattern: /^prosaas:\{calls\}:placing:[0-9a-f-]{36}:[0-9a-f]{64}$/,
    owner: "services/calls/state/placings.ts",
    bound: "24 h; one for each call that the API placed under an Idempotency-Key",
    bytesEach: 300,
  },
];

/** The family of a key; undefined for one that nothing bounds. */
export function familyOf(key: string): KeyFamily | undefined {
  return keyFamilies.find(({ pattern }) => pattern.test(key));
}
