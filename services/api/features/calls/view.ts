import type { z } from "@hono/zod-openapi";
import type { Call, CallRecording } from "../../../../lib/db/index.ts";
import type { LiveCall } from "../../../../lib/calls/live_call.ts";
import { isoOrNull } from "../../http/text.ts";
import { liveStatuses } from "./schemas.ts";
import type { callDetail, callSchema } from "./schemas.ts";

export function callView(call: Call): z.infer<typeof callSchema> {
  return {
    call_sid: call.call_sid,
    direction: call.direction,
    from: call.from_number,
    to: call.to_number,
    status: call.status,
    streams: call.streams,
    transferred_to: call.transferred_to,
    started_at: call.started_at.toISOString(),
    answered_at: isoOrNull(call.answered_at),
    ended_at: call.ended_at.toISOString(),
    duration_s: call.duration_s,
  };
}

export type RecordingLink = (recordingSid: string) => { url: string; url_expires_at: string };

export function callDetailView(
  { recordings, ...call }: Call & { recordings: CallRecording[] },
  linkTo: RecordingLink,
): z.infer<typeof callDetail> {
  return {
    ...callView(call),
    recordings: recordings.map(({ recording_sid, status, duration_s, channels, error, created_at, stored_at }) => ({
      recording_sid,
      status,
      duration_s,
      channels,
      error,
      ...(status === "stored" ? linkTo(recording_sid) : { url: null, url_expires_at: null }),
      created_at: created_at.toISOString(),
      stored_at: isoOrNull(stored_at),
    })),
  };
}

/** A call in progress. Includes a call that has just ended and is not yet in the database. */
export function liveCallView(callSid: string, call: LiveCall): z.infer<typeof callSchema> {
  const status = call.status.replaceAll("-", "_");
  return {
    call_sid: callSid,
    direction: call.direction,
    from: call.from,
    to: call.to,
    status: liveStatuses.find((known) => known === status) ?? "in_progress",
    streams: call.stream,
    transferred_to: null,
    started_at: new Date(call.started_at).toISOString(),
    answered_at: call.answered_at === null ? null : new Date(call.answered_at).toISOString(),
    ended_at: null,
    duration_s: null,
  };
}
