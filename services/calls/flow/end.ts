import { messageOf } from "../../../lib/core/errors.ts";
import type { CarrierStatus } from "../twilio/forms.ts";
import { isFinal } from "../state/call.ts";
import type { CallState } from "../state/call.ts";
import type { Core } from "./core.ts";

export type Ending = {
  /** A final status; absent: the carrier never said. */
  status?: CarrierStatus;
  durationS?: number | undefined;
  /** Unix time in ms; now where it is absent. */
  at?: number;
  /** Only if it still is this version. */
  version?: number;
};

/**
 * Ends a call: frees its slot and writes it to Postgres. One that has ended stays as it is, unless we had to assume
 * its end and now learn how it was. Null: no such call.
 */
export async function endCall(
  core: Core,
  callSid: string,
  { status, durationS, at, version }: Ending,
): Promise<CallState | null> {
  let news = false;
  const changed = await core.store.change(callSid, (call, nowMs) => {
    if (version !== undefined && call.version !== version) {
      news = false;
      return null;
    }
    news = call.step !== "ended" || (status !== undefined && !isFinal(call.status));
    if (!news) return null;
    return {
      step: "ended",
      status: status ?? call.status,
      ended_at: call.ended_at ?? at ?? nowMs,
      duration_s: durationS ?? call.duration_s,
      replica: null,
    };
  });
  if (changed === null || !news) return changed?.call ?? null;
  const { call } = changed;
  await core.capacity.release({ callSid, businessId: call.business_id }).catch((error: unknown) => {
    core.logger.warn(
      { error: messageOf(error), call_sid: callSid },
      "the slot could not be given back; it frees itself",
    );
  });
  core.metrics.ended(status ?? "lost");
  core.logger.info(
    { call_sid: callSid, business_id: call.business_id, status: status ?? "lost", streams: call.stream },
    "call ended",
  );
  core.tell("call.ended", call);
  await core.archive.write(call);
  return call;
}
