import { and, asc, eq } from "drizzle-orm";
import { fetchRows, query } from "../query.ts";
import { atomically } from "../scope.ts";
import type { BusinessScope } from "../scope.ts";
import { callRecordings, calls } from "./schema.ts";
import type { Call, CallRecording } from "./schema.ts";

/** An ended call with its recordings; undefined if there is none. */
export function getCall(
  scope: BusinessScope,
  callSid: string,
): Promise<(Call & { recordings: CallRecording[] }) | undefined> {
  return atomically(scope, async (inner) => {
    const [call] = await fetchRows(
      inner,
      query
        .select()
        .from(calls)
        .where(and(eq(calls.call_sid, callSid), eq(calls.business_id, scope.businessId))),
    );
    if (!call) return undefined;
    const recordings = await fetchRows(
      inner,
      query
        .select()
        .from(callRecordings)
        .where(and(eq(callRecordings.business_id, scope.businessId), eq(callRecordings.call_sid, callSid)))
        .orderBy(asc(callRecordings.created_at), asc(callRecordings.recording_sid)),
    );
    return { ...call, recordings: [...recordings] };
  });
}
