import { AppError } from "../../../lib/core/errors.ts";
import type { Metrics } from "../../../lib/runtime/metrics.ts";
import { Slots } from "../../../lib/runtime/slots.ts";
import type { SlotRefusal } from "../../../lib/runtime/slots.ts";
import type { ApiLimits } from "./limits.ts";

/** Slots with metrics for those in use and for refused requests. */
export function countedSlots(
  name: string,
  limits: ApiLimits[keyof ApiLimits],
  metrics: Metrics,
  owners: "business" | "address" = "business",
) {
  const slots = new Slots(limits);
  const refused = metrics.counter(
    `api_${name}_shed_total`,
    "Requests refused because no slot was free, by whose slots were exhausted.",
    ["of"],
  );
  metrics.gauge(`api_${name}_in_use`, "Slots in use.", [], (gauge) => gauge.set(slots.inUse));
  /** Acquires a slot. Throws "unavailable" if all are in use, "rate_limited" if the owner's share is exhausted. */
  const take = (owner: string | undefined, what: string, retryAfterS: number): void => {
    const refusal = slots.take(owner);
    if (refusal === null) return;
    refused.inc({ of: refusal === "full" ? "all" : owners });
    throw refusalOf(refusal, what, owners, retryAfterS);
  };
  /** Runs `work` in a slot, or throws like `take`. */
  const run = async <T>(owner: string | undefined, what: string, work: () => Promise<T>): Promise<T> => {
    take(owner, what, 1);
    try {
      return await work();
    } finally {
      slots.giveBack(owner);
    }
  };
  return { slots, take, run };
}
export type CountedSlots = ReturnType<typeof countedSlots>;

function refusalOf(refusal: SlotRefusal, what: string, owners: string, retryAfterS: number): AppError {
  if (refusal === "full")
    return new AppError("unavailable", `Too many ${what} are in progress. Retry shortly.`, { retryAfterS });
  const detail = `This ${owners} has reached its share of concurrent ${what}. Retry when one has finished.`;
  return new AppError("rate_limited", detail, { retryAfterS });
}
