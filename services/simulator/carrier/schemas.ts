import { z } from "zod";

/** A number, or another caller id: "anonymous", a SIP address. */
const party = z.string().min(1).max(256);
export const number = z.string().regex(/^\+[1-9]\d{6,14}$/, "a telephone number in E.164 form");
const digits = z.string().regex(/^[0-9*#A-D]{0,100}$/);
const webUrl = z.url({ protocol: /^https?$/ });

export const newCalls = z.strictObject({
  from: party,
  to: number,
  count: z.int().min(1).max(10_000).default(1),
  /** Seconds after the answer at which the caller hangs up. Unset: never. */
  duration_s: z.number().min(0).max(86_400).optional(),
  digits: digits.default(""),
});

export const pressed = z.strictObject({ digits: digits.min(1) });

export const silence = z.strictObject({ ms: z.int().min(1).max(600_000) });

export const numberSettings = z.strictObject({
  voice_url: webUrl,
  fallback_url: webUrl.optional(),
  status_callback: webUrl.optional(),
});

export const calleeSettings = z.strictObject({
  outcome: z.enum(["answer", "busy", "no-answer", "failed"]),
  ring_ms: z.int().min(0).max(120_000).default(200),
});

/** The form of the carrier's REST API: POST …/Calls/:sid.json. */
export const restRedirect = z.object({ Url: webUrl });

/** The form of the carrier's REST API: POST …/Calls.json. */
export const restCall = z.object({
  From: number,
  To: number,
  Url: z.string().min(1),
  FallbackUrl: z.string().min(1).optional(),
  StatusCallback: z.string().min(1).optional(),
  Timeout: z.coerce.number().int().min(1).max(600).optional(),
});
