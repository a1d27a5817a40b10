import { messageOf } from "../../../lib/core/errors.ts";
import { findCallOwner, forBusiness, forPlatform, recordRecording } from "../../../lib/db/index.ts";
import type { Database } from "../../../lib/db/index.ts";
import type { RecordingForm } from "../twilio/forms.ts";
import type { Core } from "./core.ts";

export type Recordings = {
  db: Database;
  /** Says that a recording waits to be fetched. */
  wake: () => Promise<void>;
};

/** The carrier made a recording, or could not: it is written down once, and fetched by the queue "recordings". */
export async function noteRecording(core: Core, { db, wake }: Recordings, form: RecordingForm): Promise<void> {
  if (form.RecordingStatus === "in-progress") return;
  const businessId =
    (await core.store.read(form.CallSid)).call?.business_id ?? (await findCallOwner(forPlatform(db), form.CallSid));
  if (businessId === undefined) {
    core.logger.warn(
      { call_sid: form.CallSid, recording_sid: form.RecordingSid },
      "a recording of a call that is not known",
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
  // The row is what counts: a wake-up that is lost is made up for by the schedule.
  await wake().catch((error: unknown) => core.logger.warn({ error: messageOf(error) }, "the queue could not be woken"));
}
