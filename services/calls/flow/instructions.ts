import type { CallState } from "../state/call.ts";
import type { StreamTokens } from "../streams/token.ts";
import { twiml, verb } from "../twilio/twiml.ts";

/** How long a stream that was offered may take to start, ms: the line about recording is said first. */
export const offerMs = 120_000;

/** Callbacks that must arrive: the carrier tries three more times where we are away or answer 5xx. */
const persistently = "#rc=3&rp=5xx,ct,rt";

export type PublicUrls = {
  voice(reservation?: string): string;
  action(stream: number): string;
  fallback: string;
  status: string;
  recording: string;
  media(callSid: string): string;
};

/** The addresses under which the carrier reaches us from outside. */
export function publicUrls(publicUrl: string): PublicUrls {
  const base = publicUrl.replace(/\/+$/, "");
  return {
    voice: (reservation) =>
      `${base}/webhooks/twilio/voice${reservation === undefined ? "" : `?reservation=${reservation}`}`,
    action: (stream) => `${base}/webhooks/twilio/action?stream=${stream}`,
    fallback: `${base}/webhooks/twilio/fallback`,
    status: `${base}/webhooks/twilio/status${persistently}`,
    recording: `${base}/webhooks/twilio/recording${persistently}`,
    media: (callSid) => `${base.replace(/^http/, "ws")}/media/${callSid}`,
  };
}

export type Instruct = (call: CallState) => string;

const apology = "We are sorry, this call cannot be continued. Please call again later.";

/** What the carrier is to do next with a call. Depends on the call's state alone, so that every replica says the same. */
export function createInstructions({ urls, tokens }: { urls: PublicUrls; tokens: StreamTokens }): Instruct {
  const offer = (call: CallState): string => {
    const { call_sid: callSid, stream, consent_line: consent } = call;
    const token = tokens.sign({ callSid, stream, expiresAt: (call.offered_at ?? 0) + offerMs });
    // The recording goes on over all streams of a call: it is announced and started at the first.
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
      // For a carrier that goes on behind the stream instead of asking the action.
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
