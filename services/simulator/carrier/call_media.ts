import { nextAction, signingToken } from "./call_options.ts";
import type { CallContext, Next } from "./call_options.ts";
import type { Instruction } from "./document.ts";
import type { Keypad } from "./keypad.ts";
import { Recorder } from "./recorder.ts";
import { MediaStream } from "./stream.ts";
import type { StreamReport } from "./stream.ts";

/** The media streams of a call, one after the other, and the recording of it. */
export class CallMedia {
  readonly #call: CallContext;
  readonly #keypad: Keypad;
  readonly #streams: MediaStream[] = [];
  #activeStream: MediaStream | null = null;
  #silentSince: number | null = null;
  readonly #recoveries: number[] = [];
  #recorder: Recorder | null = null;
  #recordingCallback: string | null = null;

  constructor(call: CallContext, keypad: Keypad) {
    this.#call = call;
    this.#keypad = keypad;
  }

  /** Silences between the end of one stream and the first sound of the next, ms. */
  get recoveries(): number[] {
    return this.#recoveries;
  }

  reports(): StreamReport[] {
    return this.#streams.map((stream) => stream.report());
  }

  /** Cuts the connection of the live stream. Returns false if there is none. */
  cut(): boolean {
    this.#activeStream?.cut();
    return this.#activeStream !== null;
  }

  /** Stops sending on the live stream for some time. Returns false if there is none. */
  fallSilent(ms: number): boolean {
    this.#activeStream?.fallSilent(ms);
    return this.#activeStream !== null;
  }

  /** Ends the live stream, if there is one, because the call's instructions were replaced. */
  abandonStream(): void {
    this.#activeStream?.abandon();
  }

  /** Presses the keypad's keys into the live stream, if there is one. */
  pressKeys(): void {
    const stream = this.#activeStream;
    if (stream) void this.#keypad.pressInto(stream, () => this.#activeStream === stream);
  }

  /** Starts recording, as `<Start><Recording>` says. */
  startRecording(children: Instruction[]): void {
    const recording = children.find((child) => child.name === "Recording");
    if (recording === undefined || this.#recorder !== null) return;
    this.#recorder = new Recorder();
    this.#recordingCallback = recording.attributes["recordingStatusCallback"] ?? null;
  }

  /** Stores and announces the recording at the end of the call. */
  finishRecording(): void {
    if (this.#recorder === null || this.#recordingCallback === null) return;
    const { recordings } = this.#call.exchange;
    const recording = recordings.keep(this.#call, this.#recorder, 2);
    recordings.announce(this.#call, recording, this.#recordingCallback);
  }

  /** Runs `<Connect><Stream>` until the stream ends. */
  async connect({ attributes, children }: Instruction): Promise<Next> {
    const { options, exchange, over } = this.#call;
    const noun = children.find((child) => child.name === "Stream");
    if (noun === undefined) throw new Error("the carrier supports Connect with a Stream only");
    const stream = this.#open(noun);
    this.#streams.push(stream);
    this.#activeStream = stream;
    const cut = exchange.faults.strike("cut_stream", options.to);
    const cutting = cut === undefined ? undefined : setTimeout(() => stream.cut(), cut.ms);
    const hangUp = () => stream.stop();
    over.addEventListener("abort", hangUp, { once: true });
    await stream.ended;
    clearTimeout(cutting);
    over.removeEventListener("abort", hangUp);
    if (this.#activeStream === stream) this.#activeStream = null;
    this.#silentSince ??= performance.now();
    this.#call.note("stream over", String(stream.report().close_code));
    return nextAction(attributes["action"], { StreamSid: stream.sid });
  }

  #open({ attributes, children }: Instruction): MediaStream {
    const { sid, options, exchange } = this.#call;
    const parameters = children
      .filter((child) => child.name === "Parameter")
      .map(({ attributes: a }) => [a["name"] ?? "", a["value"] ?? ""]);
    const stream: MediaStream = new MediaStream({
      url: attributes["url"] ?? "",
      parameters: Object.fromEntries(parameters),
      callSid: sid,
      accountSid: exchange.accountSid,
      authToken: signingToken(this.#call),
      ca: exchange.ca,
      pacer: exchange.pacer,
      recorder: this.#recorder,
      audio: options.audio,
      onAudio: options.onAudio,
      onHeard: () => {
        if (this.#silentSince !== null) this.#recoveries.push(Math.round(performance.now() - this.#silentSince));
        this.#silentSince = null;
        void this.#keypad.pressInto(stream, () => this.#activeStream === stream);
      },
    });
    return stream;
  }
}
