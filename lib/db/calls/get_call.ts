import type { Call, CallRecording } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

/** A call that has ended, with its recordings; undefined where there is none. */
export function getCall(
  scope: BusinessScope,
  callSid: string,
): Promise<(Call & { recordings: CallRecording[] }) | undefined> {
  return scope.run(async (sql) => {
    const [call] = await sql<
      Call[]
    >`select * from calls where call_sid = ${callSid} and business_id = ${scope.businessId}`;
    if (!call) return undefined;
    const recordings = await sql<CallRecording[]>`
      select * from call_recordings where business_id = ${scope.businessId} and call_sid = ${callSid} order by created_at, recording_sid`;
    return { ...call, recordings: [...recordings] };
  });
}
