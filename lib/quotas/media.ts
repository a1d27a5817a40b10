import { forBusiness, mediaUsage } from "../db/index.ts";
import type { BusinessScope, Database } from "../db/index.ts";
import { limitsOf } from "./limits.ts";
import { createUsageCache } from "./usage_cache.ts";
import type { ReadUsage, UsageCacheOptions } from "./usage_cache.ts";

/** A smaller file counts as much: it bounds the number of files, and so the rows that a read of the usage takes. */
export const minFileBytes = 16 * 1024;

export type MediaHold = {
  /** Notes how large the file is so far. Throws "quota_exceeded" if it does not fit. */
  size(bytes: number): void;
  /** Counts the file as stored. */
  keep(): void;
  /** Gives the bytes back; does nothing after `keep`. */
  release(): void;
};

export type MediaQuota = {
  /**
   * Reserves room for a file that is about to be stored, of `bytes` if its size is known. Throws "quota_exceeded".
   * Waits for the usage until `dueAt` at most. The bytes of a deleted file are free after the next read.
   */
  hold(scope: Pick<BusinessScope, "businessId" | "dueAt">, bytes?: number): Promise<MediaHold>;
};

/** Reads the usage of the media quota. */
export const readMediaUsage =
  (db: Database): ReadUsage<"media_bytes"> =>
  async (businessId, defaults, dueAt) => {
    const scope = forBusiness(db, businessId, dueAt);
    const limits = await limitsOf(scope, defaults);
    const used = await mediaUsage(scope, { maxBytes: limits.media_bytes, minFileBytes });
    return { used: { media_bytes: used }, limits };
  };

/** The cached usage of the quota of stored media over a database. */
export function createMediaQuota(
  db: Database,
  maxBytes: number,
  watch: Pick<UsageCacheOptions<"media_bytes">, "onRefused" | "onError" | "refreshMs"> = {},
): MediaQuota {
  const usage = createUsageCache({
    ...watch,
    limits: { media_bytes: maxBytes },
    advice: { media_bytes: "Delete media and retry." },
    read: readMediaUsage(db),
  });
  const amounts = (bytes: number) => ({ media_bytes: Math.max(minFileBytes, bytes) });
  return {
    hold: async ({ businessId, dueAt }, bytes = 0) => {
      await usage.known(businessId, dueAt);
      const hold = usage.hold(businessId, amounts(bytes));
      let held = Math.max(minFileBytes, bytes);
      return {
        ...hold,
        size: (size) => {
          if (size <= held) return;
          hold.resize(amounts(size));
          held = size;
        },
      };
    },
  };
}
