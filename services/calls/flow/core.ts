import type { AdmissionOutcome, CallCapacity } from "../../../lib/calls/capacity.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { Line } from "../../../lib/db/index.ts";
import { AppError } from "../../../lib/core/errors.ts";
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

/** What the steps of a call's life work with. */
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
  /** Tells those who watch the business what happened to a call. */
  tell: (event: CallEvent, call: CallState) => void;
  /** This process takes no new calls: it is about to stop. */
  draining: () => boolean;
};

/** There is no slot for a call. */
export class CallRefused extends AppError {
  readonly outcome: AdmissionOutcome;

  constructor(outcome: AdmissionOutcome) {
    const reasons: Partial<Record<AdmissionOutcome, string>> = {
      business_full: "This business has as many calls in progress as it may have; try again shortly.",
      recovering: "The calls in progress are being counted anew; try again in some seconds.",
    };
    super("unavailable", reasons[outcome] ?? "As many calls are in progress as there may be; try again shortly.", {
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

/** Takes or renews a call's slot; gives the time by the Redis server's clock. Throws CallRefused where there is none. */
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

/** The number of ours that a call came in on or goes out from. */
export function ownNumber({ direction, from, to }: Pick<Party, "direction" | "from" | "to">): string {
  return direction === "inbound" ? to : from;
}

/** A call in which no stream was offered yet. */
export function placedCall(
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
  };
}
