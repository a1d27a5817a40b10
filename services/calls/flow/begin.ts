import type { Line } from "../../../lib/db/index.ts";
import type { VoiceForm } from "../twilio/forms.ts";
import { isFinal } from "../state/call.ts";
import { twiml, verb } from "../twilio/twiml.ts";
import { ownNumber, newCallState, takeSlot } from "./core.ts";
import type { Core, Party } from "./core.ts";
import { AppError } from "../../../lib/core/errors.ts";

export type BeginOptions = {
  /** The slot that was reserved for an outbound call before the carrier assigned a sid. */
  reservation?: string | undefined;
  /** The first stream to offer. Above 1 for a call in progress that Redis lost. */
  stream?: number;
};

const hangUp = twiml(verb("Hangup"));
const reject = twiml(verb("Reject", { reason: "rejected" }));

/**
 * Handles an inbound call, or an outbound call that was answered: takes a slot, stores the call and offers its first
 * stream. Idempotent: a repeated request gets the same answer.
 * @throws CallRefused if no slot is free.
 * @throws AppError "unavailable" while this process is draining.
 */
export async function beginCall(core: Core, form: VoiceForm, options: BeginOptions = {}): Promise<string> {
  const party = partyOf(form);
  const known = (await core.store.read(party.callSid)).call;
  if (known !== null && known.step !== "placed") return core.instruct(known);
  if (isFinal(party.status)) return hangUp;
  if (known === null && core.draining() && options.stream === undefined) {
    throw new AppError("unavailable", "This replica is stopping and takes no new calls. Retry.", { retryAfterS: 1 });
  }

  const line = known ?? (await lineOf(core, party));
  if (line === "ended") return hangUp;
  if (line === undefined) return party.direction === "inbound" ? reject : hangUp;

  const carried = options.stream !== undefined;
  const nowMs = await takeSlot(core, { callSid: party.callSid, line, carried, reservation: options.reservation });
  const offered = {
    step: "offered",
    stream: options.stream ?? 1,
    offered_at: nowMs,
    answered_at: nowMs,
    status: party.status,
  } as const;
  if (known === null) {
    const { call, isNew } = await core.store.begin({ ...newCallState(party, line as Line, nowMs), ...offered });
    if (isNew) core.publish("call.started", call);
    if (call.step === "placed") return offerAnswered();
    if (call.step === "ended") await core.capacity.release({ callSid: call.call_sid, businessId: call.business_id });
    return core.instruct(call);
  }
  return offerAnswered();

  async function offerAnswered(): Promise<string> {
    const changed = await core.store.change(party.callSid, (call) => (call.step === "placed" ? offered : null));
    return changed ? core.instruct(changed.call) : hangUp;
  }
}

function partyOf(form: VoiceForm): Party {
  return { callSid: form.CallSid, direction: form.Direction, from: form.From, to: form.To, status: form.CallStatus };
}

async function lineOf(core: Core, party: Party): Promise<Line | "ended" | undefined> {
  const { line, ended } = await core.lines.find(ownNumber(party), party.callSid);
  return ended ? "ended" : line;
}
