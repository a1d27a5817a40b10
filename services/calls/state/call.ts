import { z } from "zod";
import { carrierStatuses } from "../twilio/forms.ts";
import type { CarrierStatus } from "../twilio/forms.ts";

/*
 * The state of a call in Redis. Its steps:
 *
 *   placed ──answered──▶ offered ──start──▶ streaming ──the agent is done──▶ leaving
 *  (outbound)              ▲  ▲                │   │
 *                          │  └──carrier asks──┘   ├──socket broke──▶ broken ──carrier asks──▶ offered
 *   inbound ───────────────┘   (replica killed)    └──stop──────────▶ stopped
 *
 *   any of them ──final status, or no change for too long──▶ ended
 *
 * Streams of a call are numbered from 1. The carrier's request after stream n names n, so a repeated request finds
 * stream n + 1 offered already and gets the same answer. A stream that has started cannot start again.
 */
const callSteps = ["placed", "offered", "streaming", "broken", "leaving", "stopped", "ended"] as const;

/** How a call continues when its agent is done. */
const callExits = ["hangup", "transfer", "apology"] as const;

const zTimestamp = z.coerce.number().int().nonnegative();
const zText = (max: number) => z.string().max(max);
const zEmpty = z.literal("").transform(() => null);
const optional = <S extends z.ZodType>(schema: S) => z.union([zEmpty, schema]).default(null);

/** The fields of the Redis hash, which stores null as "". */
export const callSchema = z.object({
  version: z.coerce.number().int().positive(),
  call_sid: z.string(),
  business_id: z.string(),
  direction: z.enum(["inbound", "outbound"]),
  from: zText(256),
  to: zText(256),
  status: z.enum(carrierStatuses),
  step: z.enum(callSteps),
  /** Number of the last stream offered; 0 for none. */
  stream: z.coerce.number().int().nonnegative(),
  /** Consecutive streams without audio, up to this one. */
  fruitless: z.coerce.number().int().nonnegative().default(0),
  offered_at: optional(zTimestamp),
  stream_sid: optional(zText(64)),
  /** The replica that carries the stream. */
  replica: optional(zText(256)),
  /** Audio heard from the caller over all streams, ms. */
  position_ms: z.coerce.number().int().nonnegative(),
  /** State that the agent stored, returned to it when the call resumes. */
  agent_state: optional(zText(4096)),
  exit: optional(z.enum(callExits)),
  transfer_to: optional(zText(32)),
  /** The business's limit when the call started. */
  max_concurrent: optional(z.coerce.number().int().nonnegative()),
  /** Spoken before the recording starts. Null if the call is not recorded. */
  consent_line: optional(zText(500)),
  started_at: zTimestamp,
  answered_at: optional(zTimestamp),
  ended_at: optional(zTimestamp),
  duration_s: optional(z.coerce.number().int().nonnegative()),
  /** W3C traceparent of the request that began it; null unless that was sampled. */
  trace: optional(zText(64)),
});

export type CallState = z.output<typeof callSchema>;
export type NewCall = Omit<CallState, "version">;
export type CallChanges = Partial<Omit<CallState, "version" | "call_sid" | "business_id">>;

const ranks = new Map<CarrierStatus, number>(carrierStatuses.map((status, i) => [status, Math.min(i, 4)]));

export function isFinal(status: CarrierStatus): boolean {
  return ranks.get(status) === 4;
}

/** True if `next` ranks above `status`. Statuses may be late, duplicated or out of order; a final one stays. */
export function isLater(status: CarrierStatus, next: CarrierStatus): boolean {
  return ranks.get(next)! > ranks.get(status)!;
}

/** True if the call has ended. */
export function isOver(call: Pick<CallState, "step">): boolean {
  return call.step === "ended";
}
