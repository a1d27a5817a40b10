import type { Redis } from "ioredis";
import { createCallCapacity } from "../../../../lib/calls/capacity.ts";
import { closedLoad } from "../../rig/load.ts";
import { createScript } from "../../../../lib/redis/script.ts";

export type AdmissionRates = { incrPerS: number; evalPerS: number; admissionsPerS: number };

/** Measurements of each kind, in turn, so that other work of the machine disturbs all kinds alike. */
const rounds = 7;

/**
 * Requests a second from concurrent callers, each a round trip of its own: a bare INCR, a script that does nothing, and
 * an admission (most of them renewals and refusals at the limit). The best round of each counts, because slower rounds
 * were disturbed.
 */
export async function measureAdmissions(
  redis: Redis,
  { callers, roundMs }: { callers: number; roundMs: number },
): Promise<AdmissionRates> {
  const capacity = createCallCapacity({ redis, leaseMs: 30_000, recoveryMs: 0, prefix: "{bench}" });
  const nothing = createScript("return 1");
  let n = 0;
  const kinds = {
    incrPerS: () => redis.incr("{bench}:counter"),
    evalPerS: () => nothing(redis, ["{bench}:counter"], ["CA"]),
    admissionsPerS: () =>
      capacity.admit({
        callSid: `CA${n++ % 80}`,
        businessId: `business-${n % 5}`,
        limits: { all: 50, business: null },
      }),
  };
  const best: AdmissionRates = { incrPerS: 0, evalPerS: 0, admissionsPerS: 0 };
  for (let round = 0; round < rounds; round++) {
    for (const [kind, ask] of Object.entries(kinds) as [keyof AdmissionRates, () => Promise<unknown>][]) {
      best[kind] = Math.max(best[kind], (await closedLoad(callers, roundMs, ask)).perSecond);
    }
  }
  return best;
}
