import { z } from "zod";

const which = {
  /** Only calls to this number; all where it is absent. */
  to: z.string().optional(),
  /** How often it strikes before it is spent; for ever where it is absent. */
  times: z.int().min(1).optional(),
};
const ms = z.int().min(0).max(600_000);

/** What the carrier's side can do wrong. */
export const carrierFault = z.discriminatedUnion("kind", [
  /** Status callbacks of a call: late, each one twice, all of them at the end and backwards, or not at all. */
  z.strictObject({
    kind: z.literal("status"),
    ...which,
    mode: z.enum(["late", "doubled", "reversed", "lost"]),
    ms: ms.default(1000),
  }),
  /** Every webhook that asks for instructions is sent a second time; the second answer counts. */
  z.strictObject({ kind: z.literal("repeated_webhook"), ...which }),
  /** Webhooks and streams are signed with another token. */
  z.strictObject({ kind: z.literal("bad_signature"), ...which }),
  /** The media stream's connection is cut this long after it began. */
  z.strictObject({ kind: z.literal("cut_stream"), ...which, ms }),
  /** The recording answers 404 for this long after its callback. */
  z.strictObject({ kind: z.literal("late_recording"), ...which, ms }),
  /** New calls over the REST API are refused with 429. */
  z.strictObject({ kind: z.literal("rate_limited"), ...which }),
]);
export type CarrierFault = z.output<typeof carrierFault>;
export type CarrierFaultKind = CarrierFault["kind"];

type Entry = { fault: CarrierFault; left: number };

/** The faults in force. */
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

  /** The fault of this kind that concerns a call to `to`, if any; it counts as struck once. */
  strike<K extends CarrierFaultKind>(kind: K, to: string): Extract<CarrierFault, { kind: K }> | undefined {
    const entry = this.#entries.find(({ fault }) => fault.kind === kind && (fault.to === undefined || fault.to === to));
    if (entry === undefined) return undefined;
    entry.left -= 1;
    if (entry.left <= 0) this.#entries = this.#entries.filter((other) => other !== entry);
    return entry.fault as Extract<CarrierFault, { kind: K }>;
  }
}
