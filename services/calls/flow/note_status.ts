import type { StatusForm } from "../twilio/forms.ts";
import { isFinal, isLater } from "../state/call.ts";
import { ownNumber, newCallState } from "./core.ts";
import type { Core, Party } from "./core.ts";
import { endCall } from "./end.ts";

/** Applies a call status from the carrier. Statuses may be late, duplicated or out of order; the highest rank wins. */
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
  // No replica carries a ringing call yet, so its slot is renewed here.
  if (changed?.call.step === "placed") await core.capacity.renew([{ callSid, businessId: changed.call.business_id }]);
}

/** Archives a call that ended and that Redis does not have, because it was refused or lost. */
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
  const call = newCallState(party, line, nowMs - durationS * 1000);
  const ended_at = nowMs;
  await core.archive.write({ ...call, version: 1, step: "ended", ended_at, duration_s: durationS }, { toStream: true });
}
