import { z } from "zod";

/*
 * The protocol between the calls service and a voice agent; PROTOCOL.md documents it. The calls service opens one
 * WebSocket per call. Binary messages are audio: μ-law, 8,000 samples a second, one channel, no header. Text messages
 * are JSON.
 */

export const protocolVersion = 1;

/** Bytes of a second of audio. */
export const bytesPerSecond = 8000;

/** Longest state that an agent may store. */
const maxStateLength = 4096;

/** Why a transfer was refused: the business's rules, its calls of 24 hours, or a dependency that does not answer. */
const transferFailures = ["destination_not_allowed", "daily_limit", "unavailable"] as const;
export type TransferFailure = (typeof transferFailures)[number];

export const toAgent = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("start"),
    version: z.literal(protocolVersion),
    call_sid: z.string(),
    business_id: z.string(),
    direction: z.enum(["inbound", "outbound"]),
    from: z.string(),
    to: z.string(),
    /** True if the call was interrupted before. */
    resumed: z.boolean(),
    /** Audio received from the caller before, ms. */
    position_ms: z.number(),
    /** The state that the agent stored last. */
    state: z.string().nullable(),
  }),
  z.object({ type: z.literal("dtmf"), digit: z.string() }),
  /** The audio before this mark was played or cleared. */
  z.object({ type: z.literal("mark"), name: z.string() }),
  /** The carrier accepts no more audio: this much was dropped. */
  z.object({ type: z.literal("overrun"), dropped_ms: z.number() }),
  /** The call was not transferred and goes on with this agent. */
  z.object({ type: z.literal("transfer_failed"), to: z.string(), reason: z.enum(transferFailures) }),
  z.object({ type: z.literal("stop"), reason: z.enum(["hung_up", "broken", "handover", "ended"]) }),
]);
export type ToAgent = z.output<typeof toAgent>;
export type AgentStart = Extract<ToAgent, { type: "start" }>;
export type StopReason = Extract<ToAgent, { type: "stop" }>["reason"];

export const fromAgent = z.discriminatedUnion("type", [
  z.object({ type: z.literal("mark"), name: z.string().min(1).max(128) }),
  /** Drops the audio that has not been played yet, because the caller speaks. */
  z.object({ type: z.literal("clear") }),
  /** Returned in `start` if the call resumes. */
  z.object({ type: z.literal("state"), state: z.string().max(maxStateLength) }),
  z.object({ type: z.literal("hangup") }),
  z.object({ type: z.literal("transfer"), to: z.string().regex(/^\+[1-9]\d{6,14}$/) }),
]);
export type FromAgent = z.output<typeof fromAgent>;
