import { z } from "zod";
import { carrierStatuses } from "../twilio/forms.ts";
import type { CarrierStatus } from "../twilio/forms.ts";

/*
 * A call in progress, as Redis holds it. Its steps:
 *
 *   placed ──answered──▶ offered ──start──▶ streaming ──the agent lets go──▶ leaving
 *  (outbound)              ▲  ▲                │   │
 *                          │  └──carrier asks──┘   ├──socket broke──▶ broken ──carrier asks──▶ offered
 *   inbound ───────────────┘   (replica killed)    └──stop──────────▶ stopped
 *
 *   any of them ──final status, or never heard of again──▶ ended
 *
 * Streams of a call are numbered from 1. What the carrier asks when stream n is over names n, so that a request that
 * is repeated finds n + 1 offered already and gets the same answer; and a stream of a number that was used cannot be
 * started again.
 */
export const callSteps = ["placed", "offered", "streaming", "broken", "leaving", "stopped", "ended"] as const;
export type CallStep = (typeof callSteps)[number];

/** What becomes of a call when its agent lets go of it. */
export const callExits = ["hangup", "transfer", "apology"] as const;
export type CallExit = (typeof callExits)[number];

const zMoment = z.coerce.number().int().nonnegative();
const zText = (max: number) => z.string().max(max);
const zNothing = z.literal("").transform(() => null);
const optional = <S extends z.ZodType>(schema: S) => z.union([zNothing, schema]).default(null);

/** The hash, field by field; "" stands for null. */
export const callSchema = z.object({
  version: z.coerce.number().int().positive(),
  call_sid: z.string(),
  business_id: z.string(),
  direction: z.enum(["inbound", "outbound"]),
  from: zText(256),
  to: zText(256),
  status: z.enum(carrierStatuses),
  step: z.enum(callSteps),
  /** Number of the last stream that was offered; 0: none yet. */
  stream: z.coerce.number().int().nonnegative(),
  /** Streams in a row, up to this one, that carried nothing. */
  fruitless: z.coerce.number().int().nonnegative().default(0),
  offered_at: optional(zMoment),
  stream_sid: optional(zText(64)),
  /** Who carries the stream. */
  replica: optional(zText(256)),
  /** Audio heard from the caller over all streams, ms. */
  position_ms: z.coerce.number().int().nonnegative(),
  /** What the agent wants to be told when it takes the call up again. */
  agent_state: optional(zText(4096)),
  exit: optional(z.enum(callExits)),
  transfer_to: optional(zText(32)),
  /** Limit of the business when the call began. */
  max_concurrent: optional(z.coerce.number().int().nonnegative()),
  /** Said before the recording begins; null: the call is not recorded. */
  consent_line: optional(zText(500)),
  started_at: zMoment,
  answered_at: optional(zMoment),
  ended_at: optional(zMoment),
  duration_s: optional(z.coerce.number().int().nonnegative()),
});

export type CallState = z.output<typeof callSchema>;
export type NewCall = Omit<CallState, "version">;
export type CallChanges = Partial<Omit<CallState, "version" | "call_sid" | "business_id">>;

const ranks = new Map<CarrierStatus, number>(carrierStatuses.map((status, i) => [status, Math.min(i, 4)]));

export function isFinal(status: CarrierStatus): boolean {
  return ranks.get(status) === 4;
}

/** Whether `next` is news: statuses come late, doubled and out of order, and a final one stays. */
export function isLater(status: CarrierStatus, next: CarrierStatus): boolean {
  return ranks.get(next)! > ranks.get(status)!;
}

/** May the call still be talked to? */
export function isOver(call: Pick<CallState, "step">): boolean {
  return call.step === "ended";
}
