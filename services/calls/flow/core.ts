import type { AdmissionOutcome, CallCapacity } from "../../../lib/calls/capacity.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { Line } from "../../../lib/db/index.ts";
import { AppError } from "../../../lib/core/errors.ts";
import { currentTraceparent } from "../../../lib/tracing/index.ts";
import type { CallLimit } from "../call_limit.ts";
import type { LineDirectory } from "../lines.ts";
import type { CallMetrics } from "../metrics.ts";
import type { CallState, NewCall } from "../state/call.ts";
import type { CallEvent } from "./call_events.ts";
import type { CallStore } from "../state/store.ts";
import type { CarrierStatus } from "../twilio/forms.ts";
import type { Archive } from "./archive.ts";
import type { AuthorizeDial } from "./dialing.ts";
import type { Instruct } from "./instructions.ts";

/** The dependencies of the call flow. */
export type Core = {
  store: CallStore;
  capacity: CallCapacity;
  limit: CallLimit;
  lines: LineDirectory;
  authorizeDial: AuthorizeDial;
  archive: Archive;
  instruct: Instruct;
  metrics: CallMetrics;
  logger: Logger;
  /** Publishes an event of a call. */
  publish: (event: CallEvent, call: CallState) => void;
  /** True if this process is about to stop and takes no new calls. */
  draining: () => boolean;
};

/** No slot is free for a call. */
export class CallRefused extends AppError {
  readonly outcome: AdmissionOutcome;

  constructor(outcome: AdmissionOutcome) {
    const reasons: Partial<Record<AdmissionOutcome, string>> = {
      business_full: "The business has reached its concurrent-call limit. Retry shortly.",
      recovering: "The calls in progress are being recounted after a restart of Redis. Retry in a few seconds.",
    };
    super("unavailable", reasons[outcome] ?? "The concurrent-call limit has been reached. Retry shortly.", {
      retryAfterS: 5,
    });
    this.outcome = outcome;
  }
}

export type SlotRequest = {
  callSid: string;
  line: Pick<Line, "business_id" | "max_concurrent">;
  carried?: boolean;
  reservation?: string | undefined;
};

/** Takes or renews a call's slot. Returns the time by the Redis server's clock. @throws CallRefused if none is free. */
export async function takeSlot(core: Core, { callSid, line, carried, reservation }: SlotRequest): Promise<number> {
  const limits = { all: core.limit.current(), business: line.max_concurrent };
  const admission = await core.capacity.admit({ callSid, businessId: line.business_id, limits, carried, reservation });
  core.metrics.admission(admission.outcome);
  if (admission.outcome !== "admitted" && admission.outcome !== "renewed") throw new CallRefused(admission.outcome);
  return admission.nowMs;
}

export type Party = {
  callSid: string;
  direction: "inbound" | "outbound";
  from: string;
  to: string;
  status: CarrierStatus;
};

/** Returns the business's number of a call: the called number if inbound, the calling number if outbound. */
export function ownNumber({ direction, from, to }: Pick<Party, "direction" | "from" | "to">): string {
  return direction === "inbound" ? to : from;
}

/** Builds a call that has no stream yet. */
export function newCallState(
  party: Party,
  line: Pick<Line, "business_id" | "max_concurrent" | "record" | "consent_line">,
  nowMs: number,
): NewCall {
  return {
    call_sid: party.callSid,
    business_id: line.business_id,
    direction: party.direction,
    from: party.from,
    to: party.to,
    status: party.status,
    step: "placed",
    stream: 0,
    fruitless: 0,
    offered_at: null,
    stream_sid: null,
    replica: null,
    position_ms: 0,
    agent_state: null,
    exit: null,
    transfer_to: null,
    max_concurrent: line.max_concurrent,
    consent_line: line.record ? line.consent_line : null,
    started_at: nowMs,
    answered_at: null,
    ended_at: null,
    duration_s: null,
    trace: currentTraceparent() ?? null,
  };
}
