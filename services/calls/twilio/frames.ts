import { z } from "zod";
import { jsonOrUndefined } from "../../../lib/core/json.ts";

/*
 * The carrier's messages on a media stream. The fields that we read are parsed strictly; others are ignored. The
 * carrier sends numbers as strings of digits.
 */

const zDigits = z.union([z.string().regex(/^\d{1,15}$/), z.int().nonnegative()]).transform(Number);
const zStreamSid = z.string().regex(/^MZ[0-9a-f]{32}$/);
/** At most 30 s of audio. A usual frame has 160 bytes, which is 20 ms. */
const zPayload = z
  .string()
  .min(4)
  .max(320_000)
  .regex(/^[A-Za-z0-9+/]+={0,2}$/);

const carrierFrame = z.discriminatedUnion("event", [
  z.object({ event: z.literal("connected"), protocol: z.string().max(64), version: z.string().max(64) }),
  z.object({
    event: z.literal("start"),
    streamSid: zStreamSid,
    start: z.object({
      streamSid: zStreamSid,
      callSid: z.string(),
      accountSid: z.string(),
      customParameters: z.record(z.string(), z.string()).default({}),
      mediaFormat: z.object({
        encoding: z.literal("audio/x-mulaw"),
        sampleRate: z.literal(8000),
        channels: z.literal(1),
      }),
    }),
  }),
  z.object({
    event: z.literal("media"),
    streamSid: zStreamSid,
    media: z.object({
      track: z.literal("inbound").default("inbound"),
      chunk: zDigits,
      timestamp: zDigits,
      payload: zPayload,
    }),
  }),
  z.object({
    event: z.literal("dtmf"),
    streamSid: zStreamSid,
    dtmf: z.object({ digit: z.string().regex(/^[0-9*#A-D]$/) }),
  }),
  z.object({ event: z.literal("mark"), streamSid: zStreamSid, mark: z.object({ name: z.string().max(256) }) }),
  z.object({ event: z.literal("stop"), streamSid: zStreamSid }),
]);
export type CarrierFrame = z.output<typeof carrierFrame>;
export type StartFrame = Extract<CarrierFrame, { event: "start" }>;
export type MediaFrame = Extract<CarrierFrame, { event: "media" }>;

/** Parses a message of the carrier; null if it is invalid. */
export function readFrame(text: string): CarrierFrame | null {
  const parsed = carrierFrame.safeParse(jsonOrUndefined(text));
  return parsed.success ? parsed.data : null;
}

/** Encodes audio for the caller. Nothing needs escaping: `streamSid` is validated and the audio is base64. */
export function mediaFrame(streamSid: string, audio: Buffer): string {
  return `{"event":"media","streamSid":"${streamSid}","media":{"payload":"${audio.toString("base64")}"}}`;
}

/** Encodes a mark. The carrier returns it once the audio before it has been played. */
export function markFrame(streamSid: string, name: string): string {
  return JSON.stringify({ event: "mark", streamSid, mark: { name } });
}

/** Encodes a clear, which drops audio that has not been played yet. */
export function clearFrame(streamSid: string): string {
  return JSON.stringify({ event: "clear", streamSid });
}
