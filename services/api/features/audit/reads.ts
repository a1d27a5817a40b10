import { messageOf } from "../../../../lib/core/errors.ts";
import { addAuditReads, forPlatform } from "../../../../lib/db/index.ts";
import type { Database, ReadCount } from "../../../../lib/db/index.ts";
import type { Logger } from "../../../../lib/runtime/log.ts";
import type { Metrics } from "../../../../lib/runtime/metrics.ts";
import type { Principal } from "../../http/auth/principal.ts";

/** Pairs of a key and a business that are held until the next write; further ones are counted as lost. */
const maxPairs = 10_000;

export type AuditReads = {
  /** Notes that an admin key read data of a business. Returns at once. */
  note(principal: Principal, businessId: string): void;
  /** Writes what was noted. A failed write is repeated with the next one. */
  flush(): Promise<void>;
};

/**
 * Counts reads by admin keys in memory and writes them in batches, so that no request waits for its audit. A process
 * that is killed loses the reads since its last flush.
 */
export function createAuditReads(db: Database, logger: Logger, metrics: Metrics): AuditReads {
  const lost = metrics.counter("audit_reads_lost_total", "Reads by admin keys that could not be noted.");
  let counts = new Map<string, ReadCount>();

  const add = (count: ReadCount) => {
    const pair = `${count.key_id} ${count.business_id}`;
    const known = counts.get(pair);
    if (known !== undefined) known.reads += count.reads;
    else if (counts.size < maxPairs) counts.set(pair, { ...count });
    else lost.inc(count.reads);
  };
  return {
    note: ({ keyId, prefix }, businessId) =>
      add({ key_id: keyId, key_prefix: prefix, business_id: businessId, reads: 1 }),
    flush: async () => {
      const noted = [...counts.values()];
      counts = new Map();
      // A statement takes a thousand at most: the time of one is a moment.
      for (let at = 0; at < noted.length; at += 1_000) {
        const batch = noted.slice(at, at + 1_000);
        try {
          await addAuditReads(forPlatform(db), batch);
        } catch (error) {
          logger.warn({ error: messageOf(error), reads: batch.length }, "reads by admin keys are not written yet");
          for (const count of batch) add(count);
        }
      }
    },
  };
}
