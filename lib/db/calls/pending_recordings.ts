import type { CallRecording } from "../schema.ts";
import type { PlatformScope } from "../scope.ts";

/** Lists pending recordings whose next attempt is due, oldest first. */
export function pendingRecordings(scope: PlatformScope, limit: number): Promise<CallRecording[]> {
  return scope.run(
    (sql) => sql<CallRecording[]>`
      select * from call_recordings where status = 'pending' and next_attempt_at <= now() order by next_attempt_at
        limit ${limit}`,
  );
}
