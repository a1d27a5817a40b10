import type { VoiceForm } from "../twilio/forms.ts";
import { isFinal } from "../state/call.ts";
import type { CallChanges, CallState } from "../state/call.ts";
import { beginCall } from "./begin.ts";
import { CallRefused, takeSlot } from "./core.ts";
import type { Core } from "./core.ts";
import { endCall } from "./end.ts";

/** Streams in a row that carried nothing, after which a call is given up: it would go round for ever. */
const maxFruitless = 5;

/**
 * Stream number `stream` of a call is over and the carrier asks what next: another stream where the call was cut off,
 * by whichever replica is asked; else what its agent decided. Said again it changes nothing and gets the same answer.
 */
export async function resumeCall(core: Core, form: VoiceForm, stream: number): Promise<string> {
  const { CallSid: callSid, CallStatus: status } = form;
  const { call } = await core.store.read(callSid);
  // Redis forgot the call; the carrier did not, and tells enough to take it up again.
  if (call === null) return beginCall(core, form, { stream: stream + 1 });
  if (isFinal(status)) {
    const ended = await endCall(core, callSid, { status });
    return core.instruct(ended ?? call);
  }
  // Answered before: this is the same request again.
  if (call.step === "ended" || call.stream > stream) return core.instruct(call);
  if (call.step === "leaving") return core.instruct(call);

  const line = { business_id: call.business_id, max_concurrent: call.max_concurrent };
  const slot = await takeSlot(core, { callSid, line, carried: true }).catch((error: unknown) => {
    // Its lease ran out while nobody carried it, and others have the slots.
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
    core.tell("call.resumed", resumed.call);
  }
  core.logger.info({ call_sid: callSid, stream: resumed.call.stream, step: resumed.call.step }, "call taken up again");
  return core.instruct(resumed.call);
}

function next(call: CallState, stream: number, refused: boolean, nowMs: number): CallChanges {
  const fruitless = call.fruitless + 1;
  if (refused || fruitless > maxFruitless) return { step: "leaving", exit: "apology", stream_sid: null, replica: null };
  return { step: "offered", stream: stream + 1, fruitless, offered_at: nowMs, stream_sid: null, replica: null };
}
