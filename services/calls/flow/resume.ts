import type { VoiceForm } from "../twilio/forms.ts";
import { isFinal } from "../state/call.ts";
import type { CallChanges, CallState } from "../state/call.ts";
import { beginCall } from "./begin.ts";
import { CallRefused, takeSlot } from "./core.ts";
import type { Core } from "./core.ts";
import { endCall } from "./end.ts";

/** Consecutive streams without audio after which a call is given up, so that it does not loop. */
export const maxFruitless = 5;

/**
 * Answers the carrier's request after stream number `stream`: offers the next stream if the call was cut off, else
 * carries out the agent's decision. Any replica can answer. Idempotent: a repeated request gets the same answer.
 */
export async function resumeCall(core: Core, form: VoiceForm, stream: number): Promise<string> {
  const { CallSid: callSid, CallStatus: status } = form;
  const { call } = await core.store.read(callSid);
  // Redis lost the call. The carrier's form holds enough to resume it.
  if (call === null) return beginCall(core, form, { stream: stream + 1 });
  if (isFinal(status)) {
    const ended = await endCall(core, callSid, { status });
    return core.instruct(ended ?? call);
  }
  // A repeated request.
  if (call.step === "ended" || call.stream > stream) return core.instruct(call);
  if (call.step === "leaving") return core.instruct(call);

  const line = { business_id: call.business_id, max_concurrent: call.max_concurrent };
  const slot = await takeSlot(core, { callSid, line, carried: true }).catch((error: unknown) => {
    // The lease expired while no replica carried the call, and other calls took the slots.
    if (error instanceof CallRefused) return null;
    throw error;
  });
  const resumed = await core.store.change(callSid, (now, nowMs) =>
    now.stream > stream || now.step === "ended" || now.step === "leaving"
      ? null
      : next(now, stream, slot === null, nowMs),
  );
  if (resumed === null) return beginCall(core, form, { stream: stream + 1 });
  if (resumed.call.step === "ended") await core.capacity.release({ callSid, businessId: call.business_id });
  if (resumed.call.step === "offered") {
    core.metrics.resumed();
    core.publish("call.resumed", resumed.call);
  }
  core.logger.info({ call_sid: callSid, stream: resumed.call.stream, step: resumed.call.step }, "call resumed");
  return core.instruct(resumed.call);
}

function next(call: CallState, stream: number, refused: boolean, nowMs: number): CallChanges {
  const fruitless = call.fruitless + 1;
  if (refused || fruitless > maxFruitless) return { step: "leaving", exit: "apology", stream_sid: null, replica: null };
  return { step: "offered", stream: stream + 1, fruitless, offered_at: nowMs, stream_sid: null, replica: null };
}
