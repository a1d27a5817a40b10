import { z } from "zod";

const scope = {
  /** Affects calls to this number only. Unset: all calls. */
  to: z.string().optional(),
  /** How often the fault strikes before it is spent. Unset: until it is deleted. */
  times: z.int().min(1).optional(),
};
const ms = z.int().min(0).max(600_000);

/** The faults that the carrier can simulate. */
export const carrierFault = z.discriminatedUnion("kind", [
  /** Sends a call's status callbacks late, twice each, all at the end in reverse order, or not at all. */
  z.strictObject({
    kind: z.literal("status"),
    ...scope,
    mode: z.enum(["late", "doubled", "reversed", "lost"]),
    ms: ms.default(1000),
  }),
  /** Sends every webhook that requests instructions a second time; the second answer counts. */
  z.strictObject({ kind: z.literal("repeated_webhook"), ...scope }),
  /** Signs webhooks and streams with another token. */
  z.strictObject({ kind: z.literal("bad_signature"), ...scope }),
  /** Drops the media stream's connection after `ms`. */
  z.strictObject({ kind: z.literal("cut_stream"), ...scope, ms }),
  /** Answers 404 for a recording for `ms` after its callback. */
  z.strictObject({ kind: z.literal("late_recording"), ...scope, ms }),
  /** Answers 429 to new calls over the REST API. */
  z.strictObject({ kind: z.literal("rate_limited"), ...scope }),
]);
export type CarrierFault = z.output<typeof carrierFault>;
export type CarrierFaultKind = CarrierFault["kind"];

type Entry = { fault: CarrierFault; left: number };

/** The active faults of the carrier. */
export class CarrierFaults {
  #entries: Entry[] = [];

  add(fault: CarrierFault): void {
    this.#entries.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY });
  }

  clear(): void {
    this.#entries = [];
  }

  list(): CarrierFault[] {
    return this.#entries.map(({ fault }) => fault);
  }

  /** Returns the active fault of this kind for a call to `to`, and uses one of its strikes. */
  strike<K extends CarrierFaultKind>(kind: K, to: string): Extract<CarrierFault, { kind: K }> | undefined {
    const entry = this.#entries.find(({ fault }) => fault.kind === kind && (fault.to === undefined || fault.to === to));
    if (entry === undefined) return undefined;
    entry.left -= 1;
    if (entry.left <= 0) this.#entries = this.#entries.filter((other) => other !== entry);
    return entry.fault as Extract<CarrierFault, { kind: K }>;
  }
}
