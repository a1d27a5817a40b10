import type { Line } from "../../../lib/db/index.ts";
import type { VoiceForm } from "../twilio/forms.ts";
import { isFinal } from "../state/call.ts";
import { twiml, verb } from "../twilio/twiml.ts";
import { ownNumber, placedCall, takeSlot } from "./core.ts";
import type { Core, Party } from "./core.ts";
import { AppError } from "../../../lib/core/errors.ts";

export type BeginOptions = {
  /** The slot that was taken for an outbound call before it had a sid. */
  reservation?: string | undefined;
  /** The stream to offer first: above 1 for a call that Redis forgot while it was in progress. */
  stream?: number;
};

const hangUp = twiml(verb("Hangup"));
const reject = twiml(verb("Reject", { reason: "rejected" }));

/**
 * A call came in, or one that we placed was answered: takes a slot, writes the call down and offers its first stream.
 * Said again it changes nothing and gets the same answer. Throws CallRefused where there is no slot, "unavailable"
 * while this process is stopping.
 */
export async function beginCall(core: Core, form: VoiceForm, options: BeginOptions = {}): Promise<string> {
  const party = partyOf(form);
  const known = (await core.store.read(party.callSid)).call;
  if (known !== null && known.step !== "placed") return core.instruct(known);
  if (isFinal(party.status)) return hangUp;
  if (known === null && core.draining() && options.stream === undefined) {
    throw new AppError("unavailable", "This replica is stopping and takes no new calls; ask again.", {
      retryAfterS: 1,
    });
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
    const { call, isNew } = await core.store.begin({ ...placedCall(party, line as Line, nowMs), ...offered });
    if (isNew) core.tell("call.started", call);
    if (call.step === "placed") return offerPlaced();
    if (call.step === "ended") await core.capacity.release({ callSid: call.call_sid, businessId: call.business_id });
    return core.instruct(call);
  }
  return offerPlaced();

  async function offerPlaced(): Promise<string> {
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
