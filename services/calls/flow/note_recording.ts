import { messageOf } from "../../../lib/core/errors.ts";
import { findCallOwner, forBusiness, forPlatform, recordRecording } from "../../../lib/db/index.ts";
import type { Database } from "../../../lib/db/index.ts";
import type { RecordingForm } from "../twilio/forms.ts";
import type { Core } from "./core.ts";

export type Recordings = {
  db: Database;
  /** Enqueues a wake-up for the queue "recordings". */
  wake: () => Promise<void>;
};

/** Stores the carrier's report of a recording, once. The queue "recordings" fetches completed ones. */
export async function noteRecording(core: Core, { db, wake }: Recordings, form: RecordingForm): Promise<void> {
  if (form.RecordingStatus === "in-progress") return;
  const businessId =
    (await core.store.read(form.CallSid)).call?.business_id ?? (await findCallOwner(forPlatform(db), form.CallSid));
  if (businessId === undefined) {
    core.logger.warn(
      { call_sid: form.CallSid, recording_sid: form.RecordingSid },
      "ignored the recording of an unknown call",
    );
    return;
  }
  const isNew = await recordRecording(forBusiness(db, businessId), {
    recording_sid: form.RecordingSid,
    call_sid: form.CallSid,
    url: form.RecordingStatus === "completed" ? form.RecordingUrl! : null,
    duration_s: form.RecordingDuration ?? null,
    channels: form.RecordingChannels ?? null,
  });
  if (!isNew || form.RecordingStatus !== "completed") return;
  // The row is stored, so a lost wake-up only delays the recording until the next scheduled run.
  await wake().catch((error: unknown) => core.logger.warn({ error: messageOf(error) }, "cannot enqueue the wake-up"));
}
