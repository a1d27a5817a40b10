import type { BusinessScope } from "../scope.ts";

/** A recording as the carrier reports it. */
export type AnnouncedRecording = {
  recording_sid: string;
  call_sid: string;
  /** Null: the carrier made none ("absent"). */
  url: string | null;
  duration_s: number | null;
  channels: number | null;
};

/** Records a recording to fetch; returns false if it was known. */
export async function recordRecording(scope: BusinessScope, recording: AnnouncedRecording): Promise<boolean> {
  const { recording_sid, call_sid, url, duration_s, channels } = recording;
  const status = url === null ? "absent" : "pending";
  const inserted = await scope.run(
    (sql) => sql`
      insert into call_recordings (recording_sid, business_id, call_sid, status, url, duration_s, channels,
        next_attempt_at)
      select ${recording_sid}, id, ${call_sid}, ${status}, ${url}, ${duration_s}::integer, ${channels}::integer,
             -- Truncated to the millisecond, not rounded up: it is due as soon as it is written.
             case when ${status}::text = 'pending' then date_trunc('milliseconds', now()) end
      from businesses where id = ${scope.businessId}
      on conflict (recording_sid) do nothing`,
  );
  return inserted.count === 1;
}
