import { Hono } from "hono";
import type { Context } from "hono";
import { z } from "zod";
import { AppError } from "../../../lib/core/errors.ts";
import { beginCall } from "../flow/begin.ts";
import { CallRefused } from "../flow/core.ts";
import type { Core } from "../flow/core.ts";
import { noteRecording } from "../flow/note_recording.ts";
import type { Recordings } from "../flow/note_recording.ts";
import { noteStatus } from "../flow/note_status.ts";
import { resumeCall } from "../flow/resume.ts";
import { fallbackForm, recordingForm, statusForm, voiceForm } from "../twilio/forms.ts";
import type { VoiceForm } from "../twilio/forms.ts";
import { twiml, verb } from "../twilio/twiml.ts";
import { signedForm } from "./signed_form.ts";
import type { SignedForm, SignedFormOptions } from "./signed_form.ts";

export type WebhookOptions = SignedFormOptions & {
  core: Core;
  recordings: Recordings;
  /** The answer if no slot is free: "503" makes the carrier retry, "reject" plays the busy tone. */
  whenFull: "503" | "reject";
  /** True if a voice agent is configured. */
  hasAgent: boolean;
};

const zStream = z.coerce.number().int().min(1).max(1_000_000);
const zReservation = z.uuid();

const busy = twiml(verb("Reject", { reason: "busy" }));

/** The carrier's webhooks, under /webhooks/twilio. */
export function webhookRoutes({ core, recordings, whenFull, hasAgent, ...signing }: WebhookOptions): Hono<SignedForm> {
  const app = new Hono<SignedForm>();
  app.use("*", signedForm(signing));

  app.post("/voice", async (c) => {
    const form = voiceForm.parse(c.get("form"));
    return instructions(c, await begin(form, c.req.query("reservation"), whenFull));
  });

  app.post("/action", async (c) => {
    const form = voiceForm.parse(c.get("form"));
    const { stream } = z.object({ stream: zStream }).parse(c.req.query());
    return instructions(c, await resumeCall(core, form, stream));
  });

  // The carrier's last resort after another answer of ours failed. So a lack of slots rejects the call, never a 503.
  app.post("/fallback", async (c) => {
    const form = fallbackForm.parse(c.get("form"));
    const failed = form.ErrorUrl !== undefined && URL.canParse(form.ErrorUrl) ? new URL(form.ErrorUrl) : null;
    const stream = zStream.safeParse(failed?.searchParams.get("stream"));
    if (stream.success) return instructions(c, await resumeCall(core, form, stream.data));
    return instructions(c, await begin(form, failed?.searchParams.get("reservation") ?? undefined, "reject"));
  });

  app.post("/status", async (c) => {
    await noteStatus(core, statusForm.parse(c.get("form")));
    return c.body(null, 204);
  });

  app.post("/recording", async (c) => {
    await noteRecording(core, recordings, recordingForm.parse(c.get("form")));
    return c.body(null, 204);
  });

  async function begin(form: VoiceForm, reservation: string | undefined, full: "503" | "reject"): Promise<string> {
    if (!hasAgent) throw new AppError("unavailable", "No voice agent is configured. Set CALL_AGENT_URL.");
    const id = zReservation.safeParse(reservation);
    try {
      return await beginCall(core, form, { reservation: id.success ? id.data : undefined });
    } catch (error) {
      if (error instanceof CallRefused && full === "reject") return busy;
      throw error;
    }
  }

  return app;
}

function instructions(c: Context, document: string): Response {
  return c.body(document, 200, { "content-type": "text/xml; charset=utf-8" });
}
