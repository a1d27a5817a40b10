import type { StatusForm } from "../twilio/forms.ts";
import { isFinal, isLater } from "../state/call.ts";
import { ownNumber, placedCall } from "./core.ts";
import type { Core, Party } from "./core.ts";
import { endCall } from "./end.ts";

/** The carrier tells a call's status: late, doubled and out of order as it may be, the latest in rank counts. */
export async function noteStatus(core: Core, form: StatusForm): Promise<void> {
  const { CallSid: callSid, CallStatus: status, CallDuration: durationS } = form;
  if (isFinal(status)) {
    if ((await endCall(core, callSid, { status, durationS })) === null) await archiveUnknown(core, form);
    return;
  }
  const changed = await core.store.change(callSid, (call, nowMs) => {
    if (call.step === "ended" || !isLater(call.status, status)) return null;
    return { status, ...(status === "in-progress" && call.answered_at === null ? { answered_at: nowMs } : {}) };
  });
  // A call that rings is carried by nobody who would renew its slot.
  if (changed?.call.step === "placed") await core.capacity.renew([{ callSid, businessId: changed.call.business_id }]);
}

/** A call that we refused, or that Redis forgot, has ended: what the carrier tells of it is written down. */
async function archiveUnknown(core: Core, form: StatusForm): Promise<void> {
  const party: Party = {
    callSid: form.CallSid,
    direction: form.Direction,
    from: form.From,
    to: form.To,
    status: form.CallStatus,
  };
  const { line, ended } = await core.lines.find(ownNumber(party), party.callSid);
  if (line === undefined || ended) return;
  const { nowMs } = await core.store.read(party.callSid);
  const durationS = form.CallDuration ?? 0;
  const call = placedCall(party, line, nowMs - durationS * 1000);
  const ended_at = nowMs;
  await core.archive.write({ ...call, version: 1, step: "ended", ended_at, duration_s: durationS }, { toStream: true });
}
