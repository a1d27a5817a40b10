import { z } from "zod";

/*
 * The carrier's messages on a media stream. Fields that we do not read are ignored; those that we read are parsed
 * strictly. Numbers come as strings of digits.
 */

const zDigits = z.union([z.string().regex(/^\d{1,15}$/), z.int().nonnegative()]).transform(Number);
const zStreamSid = z.string().regex(/^MZ[0-9a-f]{32}$/);
/** 30 s of audio at most; the usual frame has 160 bytes, 20 ms. */
const zPayload = z
  .string()
  .min(4)
  .max(320_000)
  .regex(/^[A-Za-z0-9+/]+={0,2}$/);

export const carrierFrame = z.discriminatedUnion("event", [
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

/** Reads a message of the carrier; null for what is none. */
export function readFrame(text: string): CarrierFrame | null {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null;
  }
  const parsed = carrierFrame.safeParse(json);
  return parsed.success ? parsed.data : null;
}

/** Audio for the caller. `streamSid` has been parsed, and base64 needs no escape. */
export function mediaFrame(streamSid: string, audio: Buffer): string {
  return `{"event":"media","streamSid":"${streamSid}","media":{"payload":"${audio.toString("base64")}"}}`;
}

/** Comes back when what was sent before it has been played. */
export function markFrame(streamSid: string, name: string): string {
  return JSON.stringify({ event: "mark", streamSid, mark: { name } });
}

/** Drops what was sent and not played yet. */
export function clearFrame(streamSid: string): string {
  return JSON.stringify({ event: "clear", streamSid });
}
