import { BoundedMap } from "../core/bounded_map.ts";
import { AppError } from "../core/errors.ts";
import { withinGrace } from "../core/time.ts";

/** Amounts by the name of their quota. */
export type Amounts<Q extends string> = Record<Q, number>;

/** The usage and the limits of a business. */
export type Usage<Q extends string> = { used: Amounts<Q>; limits: Amounts<Q> };

/** Reads the usage and the limits of a business. `limits` are those of a business without its own. */
export type ReadUsage<Q extends string> = (businessId: string, limits: Amounts<Q>, dueAt?: number) => Promise<Usage<Q>>;

export type UsageCacheOptions<Q extends string> = {
  read: ReadUsage<Q>;
  /** Limits of a business without its own, and of each business until the first read. */
  limits: Amounts<Q>;
  /** The advice in the problem's detail for each exhausted quota. */
  advice: Record<Q, string>;
  /** Seconds after which a refused caller may retry; absent where usage does not fall by itself. */
  retryAfterS?: number;
  /** Counts refusals. */
  onRefused?: (quota: Q) => void;
  /** A failed read keeps the previous usage until the next one. */
  onError?: (error: unknown) => void;
  /** The least time between two reads for a business; up to twice as long, so that businesses do not coincide. */
  refreshMs?: number;
  /** Businesses held at once; the least recently used ones are evicted. */
  maxBusinesses?: number;
};

/** Usage of one operation in flight. Not a part of the business's usage after `release`, unless `keep` was called. */
export type Hold<Q extends string> = {
  /** Replaces the held amounts. Throws "quota_exceeded" and holds the previous amounts if they do not fit. */
  resize(amounts: Amounts<Q>): void;
  /** Counts the held amounts as used: the operation has committed. */
  keep(): void;
  /** Gives the held amounts back; does nothing after `keep`. */
  release(): void;
};

export type UsageCache<Q extends string> = {
  /** Holds amounts for an operation, without waiting. Throws "quota_exceeded" if they do not fit. */
  hold(businessId: string, amounts: Amounts<Q>): Hold<Q>;
  /**
   * Resolves once the usage of a business has been read at least once, or that failed; at `dueAt` (by
   * `performance.now()`) in any case. Requests share this read, so that the deadline of one ends its wait alone.
   */
  known(businessId: string, dueAt?: number): Promise<void>;
};

/** Longer than a read of the usage takes at most. */
const maxReadMs = 30_000;
/** Reads for a business take at most this share of the time: one with 250,000 queued messages takes half a second. */
const maxReadShare = 0.02;

type Entry<Q extends string> = {
  /** As last read. */
  base: Amounts<Q>;
  limits: Amounts<Q>;
  /** Kept since the last read began: the read may not have seen it. */
  added: Amounts<Q>;
  held: Amounts<Q>;
  /** The next read is due then, by `performance.now()`. */
  staleAt: number;
  reading: Promise<void>;
};

/**
 * Usage of quotas by business, without a query in the caller's way. Usage is read in the background, at most once per
 * business and `refreshMs`, and only while it is asked for; this process counts its own operations in between. Each
 * replica counts alone, so that together they may exceed a quota by what they accept between two reads. A process that
 * does not know a business yet admits its operations until the first read has ended.
 */
export function createUsageCache<Q extends string>(options: UsageCacheOptions<Q>): UsageCache<Q> {
  const { read, limits, advice, retryAfterS, onRefused, onError, refreshMs = 10_000, maxBusinesses = 10_000 } = options;
  const quotas = Object.keys(limits) as Q[];
  const zero = () => Object.fromEntries(quotas.map((quota) => [quota, 0])) as Amounts<Q>;
  const add = (to: Amounts<Q>, amounts: Amounts<Q>, factor = 1) => {
    for (const quota of quotas) to[quota] += factor * amounts[quota];
  };
  const entries = new BoundedMap<string, Entry<Q>>(maxBusinesses);

  const refresh = async (businessId: string, entry: Entry<Q>): Promise<void> => {
    const before = { ...entry.added };
    try {
      const { used, limits: own } = await read(businessId, limits);
      entry.base = used;
      entry.limits = own;
      add(entry.added, before, -1);
    } catch (error) {
      onError?.(error);
    }
  };

  const addEntry = (businessId: string): Entry<Q> => {
    const unread = { base: zero(), limits, added: zero(), held: zero() };
    const entry: Entry<Q> = { ...unread, staleAt: -Infinity, reading: Promise.resolve() };
    entries.set(businessId, entry);
    return entry;
  };

  const entryOf = (businessId: string): Entry<Q> => {
    const entry = entries.get(businessId) ?? addEntry(businessId);
    const startedAt = performance.now();
    if (startedAt >= entry.staleAt) {
      // A read that takes longer is not joined by another.
      entry.staleAt = Infinity;
      entry.reading = refresh(businessId, entry).then(() => {
        const tookMs = performance.now() - startedAt;
        entry.staleAt = startedAt + Math.max(refreshMs * (1 + Math.random()), tookMs / maxReadShare);
      });
    }
    return entry;
  };

  const assertFits = (entry: Entry<Q>, amounts: Amounts<Q>): void => {
    for (const quota of quotas) {
      const used = entry.base[quota] + entry.added[quota] + entry.held[quota];
      if (amounts[quota] <= 0 || used + amounts[quota] <= entry.limits[quota]) continue;
      onRefused?.(quota);
      throw new AppError(
        "quota_exceeded",
        `The quota ${quota} of this business is ${entry.limits[quota]}. ${advice[quota]}`,
        {
          detail: { quota, limit: entry.limits[quota] },
          ...(retryAfterS === undefined ? {} : { retryAfterS }),
        },
      );
    }
  };

  return {
    known: async (businessId, dueAt = Number.POSITIVE_INFINITY) =>
      withinGrace(Math.min(maxReadMs, dueAt - performance.now()), entryOf(businessId).reading),
    hold: (businessId, first) => {
      const entry = entryOf(businessId);
      assertFits(entry, first);
      let held = { ...first };
      add(entry.held, held);
      const release = () => {
        add(entry.held, held, -1);
        held = zero();
      };
      return {
        resize: (amounts) => {
          const growth = { ...amounts };
          add(growth, held, -1);
          assertFits(entry, growth);
          add(entry.held, growth);
          held = { ...amounts };
        },
        keep: () => {
          add(entry.added, held);
          release();
        },
        release,
      };
    },
  };
}
