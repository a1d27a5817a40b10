import { messageOf } from "../../../../lib/core/errors.ts";
import { addAuditReads, forPlatform } from "../../../../lib/db/index.ts";
import type { Database, ReadCount } from "../../../../lib/db/index.ts";
import type { Logger } from "../../../../lib/runtime/log.ts";
import type { Metrics } from "../../../../lib/runtime/metrics.ts";
import type { Principal } from "../../http/auth/principal.ts";

/** Maximum buffered pairs of key and business. Reads of further pairs are lost and counted. */
const maxPairs = 10_000;

/** Rows of one statement, to keep each short. */
const batchSize = 1_000;

export type ReadCounter = {
  /** Counts a read of a business's data by an admin key. Returns at once. */
  count(principal: Principal, businessId: string): void;
  /** Writes the counts to the database. A failed write is retried by the next flush. */
  flush(): Promise<void>;
};

/**
 * Counts reads by admin keys in memory and writes them in batches, so that no request waits for its audit entry. A
 * killed process loses the reads since its last flush.
 */
export function createReadCounter(db: Database, logger: Logger, metrics: Metrics): ReadCounter {
  const lost = metrics.counter("audit_reads_lost_total", "Reads by admin keys that could not be counted.");
  let counts = new Map<string, ReadCount>();

  const add = (count: ReadCount) => {
    const pair = `${count.key_id} ${count.business_id}`;
    const present = counts.get(pair);
    if (present !== undefined) present.reads += count.reads;
    else if (counts.size < maxPairs) counts.set(pair, { ...count });
    else lost.inc(count.reads);
  };
  return {
    count: ({ keyId, prefix }, businessId) =>
      add({ key_id: keyId, key_prefix: prefix, business_id: businessId, reads: 1 }),
    flush: async () => {
      const pending = [...counts.values()];
      counts = new Map();
      for (let start = 0; start < pending.length; start += batchSize) {
        const batch = pending.slice(start, start + batchSize);
        try {
          await addAuditReads(forPlatform(db), batch);
        } catch (error) {
          logger.warn({ error: messageOf(error), reads: batch.length }, "audit of reads not written; will retry");
          for (const count of batch) add(count);
        }
      }
    },
  };
}
