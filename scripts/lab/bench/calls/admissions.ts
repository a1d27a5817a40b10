import type { Redis } from "ioredis";
import { createCallCapacity } from "../../../../lib/calls/capacity.ts";
import { createScript } from "../../../../lib/redis/script.ts";

export type AdmissionRates = { incrPerS: number; evalPerS: number; admissionsPerS: number };

/** Measurements of each kind, taken in turn so that whatever else the machine does meets all of them alike. */
const rounds = 7;

/**
 * Requests a second, each a round trip of its own, from as many callers at once: a bare INCR, a script that does
 * nothing, and an admission (most of them renewals and refusals at the limit, as in a full house). The best round of
 * each counts: what is slower was disturbed.
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
      best[kind] = Math.max(best[kind], await rate(ask, callers, roundMs));
    }
  }
  return best;
}

async function rate(ask: () => Promise<unknown>, callers: number, forMs: number): Promise<number> {
  const start = performance.now();
  let done = 0;
  const caller = async () => {
    while (performance.now() - start < forMs) {
      await ask();
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return (done * 1000) / (performance.now() - start);
}
