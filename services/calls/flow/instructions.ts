import type { CallState } from "../state/call.ts";
import type { StreamTokens } from "../streams/token.ts";
import { twiml, verb } from "../twilio/twiml.ts";

/** Milliseconds in which an offered stream must start. The consent line is spoken first. */
export const offerMs = 120_000;

/** URL fragment that makes the carrier retry a callback three times after a 5xx, a failed connection or a timeout. */
const withRetries = "#rc=3&rp=5xx,ct,rt";

export type PublicUrls = {
  voice(reservation?: string): string;
  action(stream: number): string;
  fallback: string;
  status: string;
  recording: string;
  media(callSid: string): string;
};

/** Builds the public URLs that the carrier calls. */
export function publicUrls(publicUrl: string): PublicUrls {
  const base = publicUrl.replace(/\/+$/, "");
  return {
    voice: (reservation) =>
      `${base}/webhooks/twilio/voice${reservation === undefined ? "" : `?reservation=${reservation}`}`,
    action: (stream) => `${base}/webhooks/twilio/action?stream=${stream}`,
    fallback: `${base}/webhooks/twilio/fallback`,
    status: `${base}/webhooks/twilio/status${withRetries}`,
    recording: `${base}/webhooks/twilio/recording${withRetries}`,
    media: (callSid) => `${base.replace(/^http/, "ws")}/media/${callSid}`,
  };
}

export type Instruct = (call: CallState) => string;

const apology = "We are sorry, this call cannot be continued. Please call again later.";

/** Creates the carrier's next instructions for a call. They depend only on its state, so every replica agrees. */
export function createInstructions({ urls, tokens }: { urls: PublicUrls; tokens: StreamTokens }): Instruct {
  const offer = (call: CallState): string => {
    const { call_sid: callSid, stream, consent_line: consent } = call;
    const token = tokens.sign({ callSid, stream, expiresAt: (call.offered_at ?? 0) + offerMs });
    // A recording spans all streams of a call, so it is announced and started at the first.
    const recorded =
      consent !== null && stream === 1
        ? [
            verb("Say", {}, consent),
            verb(
              "Start",
              {},
              verb("Recording", {
                recordingStatusCallback: urls.recording,
                recordingStatusCallbackEvent: "completed absent",
              }),
            ),
          ]
        : [];
    return twiml(
      ...recorded,
      verb(
        "Connect",
        { action: urls.action(stream), method: "POST" },
        verb("Stream", { url: urls.media(callSid) }, verb("Parameter", { name: "token", value: token })),
      ),
      // For a carrier that continues after the stream instead of requesting the action URL.
      verb("Redirect", { method: "POST" }, urls.action(stream)),
    );
  };

  return (call) => {
    if (call.step === "ended") return twiml(verb("Hangup"));
    if (call.step !== "leaving") return offer(call);
    switch (call.exit) {
      case "transfer":
        return twiml(verb("Dial", {}, verb("Number", {}, call.transfer_to ?? "")));
      case "apology":
        return twiml(verb("Say", {}, apology), verb("Hangup"));
      default:
        return twiml(verb("Hangup"));
    }
  };
}
