import type { BusinessScope } from "../scope.ts";

export type RecordingResult =
  | { status: "stored"; storage_key: string }
  | { status: "failed"; error: string }
  /** Retried at `next_attempt_at`. */
  | { status: "pending"; error: string; next_attempt_at: Date };

/** Records the result of a fetch attempt, if the recording is still pending. */
export async function finishRecording(
  scope: BusinessScope,
  recordingSid: string,
  result: RecordingResult,
): Promise<void> {
  const key = result.status === "stored" ? result.storage_key : null;
  const error = result.status === "stored" ? null : result.error;
  const next = result.status === "pending" ? result.next_attempt_at : null;
  await scope.run(
    (sql) => sql`
      update call_recordings
      set status = ${result.status}, storage_key = ${key}, error = ${error}, next_attempt_at = ${next},
        attempts = attempts + 1, stored_at = case when ${key}::text is null then null else now() end
      where recording_sid = ${recordingSid} and business_id = ${scope.businessId} and status = 'pending'`,
  );
}
