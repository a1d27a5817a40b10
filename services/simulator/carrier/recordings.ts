import { randomBytes } from "node:crypto";
import { sleep } from "../../../lib/core/time.ts";
import { wav } from "./audio.ts";
import type { CarrierFaults } from "./faults.ts";
import type { Recorder } from "./recorder.ts";
import type { WebhookClient } from "./webhook.ts";

export type Recording = {
  sid: string;
  callSid: string;
  url: string;
  seconds: number;
  channels: 1 | 2;
  audio: Buffer;
  readyAt: number;
};

type Recorded = { sid: string; options: { to: string } };

export type RecordingsOptions = {
  webhooks: WebhookClient;
  faults: CarrierFaults;
  accountSid: string;
  /** Public base URL of the carrier's REST API. */
  baseUrl: () => string;
};

/** Time between the end of a recording and its callback. */
const preparationMs = 50;

/** The carrier's stored recordings and their callbacks. */
export class Recordings {
  readonly #options: RecordingsOptions;
  readonly #recordings = new Map<string, Recording>();

  constructor(options: RecordingsOptions) {
    this.#options = options;
  }

  keep(call: Recorded, recorder: Recorder, channels: 1 | 2): Recording {
    const sid = `RE${randomBytes(16).toString("hex")}`;
    const { accountSid, baseUrl, faults } = this.#options;
    const late = faults.strike("late_recording", call.options.to)?.ms ?? 0;
    const recording: Recording = {
      sid,
      callSid: call.sid,
      url: `${baseUrl()}/2010-04-01/Accounts/${accountSid}/Recordings/${sid}`,
      seconds: recorder.seconds(),
      channels,
      audio: wav(recorder.channels().slice(0, channels)),
      readyAt: performance.now() + preparationMs + late,
    };
    this.#recordings.set(sid, recording);
    return recording;
  }

  announce({ sid: callSid }: Recorded, recording: Recording, callback: string): void {
    const form = new URLSearchParams({
      AccountSid: this.#options.accountSid,
      CallSid: callSid,
      RecordingSid: recording.sid,
      RecordingUrl: recording.url,
      RecordingStatus: "completed",
      RecordingDuration: String(recording.seconds),
      RecordingChannels: String(recording.channels),
      RecordingSource: "StartCallRecordingTwiML",
    });
    void sleep(preparationMs).then(() => this.#options.webhooks.post(callback, form));
  }

  /** Returns a recording; undefined if it does not exist or is not ready. */
  get(sid: string): Recording | undefined {
    const recording = this.#recordings.get(sid);
    return recording !== undefined && performance.now() >= recording.readyAt ? recording : undefined;
  }
}
