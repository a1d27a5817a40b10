import { randomBytes } from "node:crypto";
import type { NewCall } from "../state/call.ts";

/** A sid as the carrier makes them: "CA" for a call, "MZ" for a stream, "RE" for a recording. */
export const sid = (kind: "CA" | "AC" | "MZ" | "RE") => kind + randomBytes(16).toString("hex");

/** An inbound call that was just offered its first stream. */
export function newCall(more: Partial<NewCall> = {}): NewCall {
  return {
    call_sid: sid("CA"),
    business_id: crypto.randomUUID(),
    direction: "inbound",
    from: "+15550000001",
    to: "+15550000002",
    status: "ringing",
    step: "offered",
    stream: 1,
    fruitless: 0,
    offered_at: 1_800_000_000_000,
    stream_sid: null,
    replica: null,
    position_ms: 0,
    agent_state: null,
    exit: null,
    transfer_to: null,
    max_concurrent: null,
    consent_line: null,
    started_at: 1_800_000_000_000,
    answered_at: null,
    ended_at: null,
    duration_s: null,
    trace: null,
    ...more,
  };
}
