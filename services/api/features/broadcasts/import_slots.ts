import { AppError } from "../../../../lib/core/errors.ts";
import type { Metrics } from "../../../../lib/runtime/metrics.ts";

/** Concurrent imports of this process. Each holds its table in memory and a connection to Postgres. */
const maxImports = 4;

export type ImportSlots = {
  /**
   * Runs `work` in a slot. Throws "rate_limited" if the business has a running import, "unavailable" without a slot.
   */
  run<T>(businessId: string, work: () => Promise<T>): Promise<T>;
};

/** A business may hold one slot, so that no tenant can exhaust them. */
export function createImportSlots(metrics: Metrics, max = maxImports): ImportSlots {
  const taken = new Set<string>();
  const refused = metrics.counter("api_imports_refused_total", "Imports refused because no slot was free.");
  metrics.gauge("api_imports_in_progress", "Imports in progress.", [], (gauge) => gauge.set(taken.size));
  return {
    run: async (businessId, work) => {
      if (taken.has(businessId)) {
        refused.inc();
        throw new AppError("rate_limited", "An import of this business is in progress. Retry when it has finished.", {
          retryAfterS: 2,
        });
      }
      if (taken.size >= max) {
        refused.inc();
        throw new AppError("unavailable", "Too many imports are in progress. Retry shortly.", { retryAfterS: 2 });
      }
      taken.add(businessId);
      try {
        return await work();
      } finally {
        taken.delete(businessId);
      }
    },
  };
}
