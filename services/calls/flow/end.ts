import { messageOf } from "../../../lib/core/errors.ts";
import type { CarrierStatus } from "../twilio/forms.ts";
import { isFinal } from "../state/call.ts";
import type { CallState } from "../state/call.ts";
import type { Core } from "./core.ts";

export type Ending = {
  /** A final status. Absent if the carrier never reported one. */
  status?: CarrierStatus;
  durationS?: number | undefined;
  /** Unix time in ms. Default: now. */
  at?: number;
  /** End the call only if it still has this version. */
  version?: number;
};

/**
 * Ends a call: releases its slot and writes it to Postgres. A call that has ended stays as it is, unless its end was
 * only assumed and the carrier now reports the final status. Returns null if there is no such call.
 */
export async function endCall(
  core: Core,
  callSid: string,
  { status, durationS, at, version }: Ending,
): Promise<CallState | null> {
  let changes = false;
  const changed = await core.store.change(callSid, (call, nowMs) => {
    if (version !== undefined && call.version !== version) {
      changes = false;
      return null;
    }
    changes = call.step !== "ended" || (status !== undefined && !isFinal(call.status));
    if (!changes) return null;
    return {
      step: "ended",
      status: status ?? call.status,
      ended_at: call.ended_at ?? at ?? nowMs,
      duration_s: durationS ?? call.duration_s,
      replica: null,
    };
  });
  if (changed === null || !changes) return changed?.call ?? null;
  const { call } = changed;
  await core.capacity.release({ callSid, businessId: call.business_id }).catch((error: unknown) => {
    core.logger.warn({ error: messageOf(error), call_sid: callSid }, "cannot release the slot; its lease will expire");
  });
  core.metrics.ended(status ?? "lost");
  core.logger.info(
    { call_sid: callSid, business_id: call.business_id, status: status ?? "lost", streams: call.stream },
    "call ended",
  );
  core.publish("call.ended", call);
  await core.archive.write(call);
  return call;
}
