import type { CarrierFaults } from "./faults.ts";
import type { Pacer } from "./pacer.ts";
import type { Recordings } from "./recordings.ts";
import type { WebhookClient } from "./webhook.ts";

export type CallStatus =
  | "queued"
  | "initiated"
  | "ringing"
  | "in-progress"
  | "completed"
  | "busy"
  | "no-answer"
  | "failed"
  | "canceled";

/** Why a call ended. */
export type CallEnd =
  | "caller_hung_up"
  | "application_hung_up"
  | "rejected"
  | "document_over"
  | "application_error"
  | "not_answered";

/** The webhooks of a call: where it requests instructions, and where it reports its status. */
export type Webhooks = { voiceUrl: string; fallbackUrl: string | null; statusUrl: string | null };

export type CallOptions = {
  direction: "inbound" | "outbound-api";
  from: string;
  to: string;
  webhooks: Webhooks;
  /** Seconds after the answer at which the caller hangs up; null: never. */
  durationS: number | null;
  /** Keys that are pressed, half a second apart, once a stream or a menu listens. */
  digits: string;
  /** The called party's answer to an outbound call. */
  callee: { outcome: "answer" | "busy" | "no-answer" | "failed"; ringMs: number };
  audio?: ((frame: number) => Buffer) | undefined;
  onAudio?: ((audio: Buffer) => void) | undefined;
};

/** The parts of the carrier that its calls share. */
export type Exchange = {
  accountSid: string;
  authToken: string;
  ca?: string | undefined;
  webhooks: WebhookClient;
  faults: CarrierFaults;
  pacer: Pacer;
  recordings: Recordings;
  /** How long a character takes to be spoken, ms. A dialled party speaks for the time of 100 characters. */
  msPerCharacter: number;
};

/** A call, as its parts see it. */
export type CallContext = {
  readonly sid: string;
  readonly options: CallOptions;
  readonly exchange: Exchange;
  /** Aborted when the call is over. */
  readonly over: AbortSignal;
  status(): CallStatus;
  /** Adds a line to the call's log. */
  note(what: string, detail?: string): void;
};

/** A webhook to request instructions from. */
export type Request = { url: string; extra: Record<string, string> };

/** The step after an instruction: the next one, a request for others, or the end of the call. */
export type Next =
  | { step: "continue" }
  | { step: "fetch"; request: Request }
  | { step: "end"; end: CallEnd; status?: CallStatus };

export const proceed: Next = { step: "continue" };

/** Requests the instructions of an `action` attribute; goes on with the document if there is none. */
export function nextAction(url: string | undefined, extra: Record<string, string>): Next {
  return url === undefined ? proceed : { step: "fetch", request: { url, extra } };
}

/** The account's secret, or another one if a fault says so. */
export function signingToken({ exchange: { authToken, faults }, options: { to } }: CallContext): string {
  return faults.strike("bad_signature", to) ? `not ${authToken}` : authToken;
}
