import { randomBytes } from "node:crypto";
import type { EndedCall } from "../db/index.ts";

/** Creates an inbound call of one second that has ended, with a random sid. `changes` overrides its fields. */
export function endedCall(changes: Partial<EndedCall> = {}): EndedCall {
  return {
    call_sid: `CA${randomBytes(16).toString("hex")}`,
    direction: "inbound",
    from_number: "+15550000001",
    to_number: "+15550000002",
    status: "completed",
    streams: 1,
    transferred_to: null,
    started_at: new Date(),
    answered_at: null,
    ended_at: new Date(),
    duration_s: 1,
    ...changes,
  };
}
