import { randomBytes } from "node:crypto";
import { sleep } from "../../../lib/core/time.ts";
import { readDocument } from "./document.ts";
import type { Instruction } from "./document.ts";
import type { CarrierFaults } from "./faults.ts";
import type { Pacer } from "./pacer.ts";
import { Recorder } from "./recorder.ts";
import type { Recordings } from "./recordings.ts";
import { StatusReports } from "./status_reports.ts";
import { MediaStream } from "./stream.ts";
import type { StreamReport } from "./stream.ts";
import type { Answer, WebhookClient } from "./webhook.ts";

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

/** URLs that the carrier posts to: for instructions, after a failure, and for status callbacks. */
export type Webhooks = { voiceUrl: string; fallbackUrl: string | null; statusUrl: string | null };

export type CallOptions = {
  direction: "inbound" | "outbound-api";
  from: string;
  to: string;
  webhooks: Webhooks;
  /** Seconds after the answer at which the caller hangs up. Null: never. */
  durationS: number | null;
  /** Keys that the caller presses, half a second apart, once a stream or a Gather listens. */
  digits: string;
  /** How the called party reacts to an outbound call. */
  callee: { outcome: "answer" | "busy" | "no-answer" | "failed"; ringMs: number };
  audio?: ((frame: number) => Buffer) | undefined;
  onAudio?: ((audio: Buffer) => void) | undefined;
};

/** Dependencies that all calls share. */
export type Exchange = {
  accountSid: string;
  authToken: string;
  ca?: string | undefined;
  webhooks: WebhookClient;
  faults: CarrierFaults;
  pacer: Pacer;
  recordings: Recordings;
  /** Time to speak one letter, ms. A dialled party speaks a hundred letters. */
  msPerLetter: number;
};

type Ask = { url: string; extra: Record<string, string> };

/** The step after an instruction: continue with the next one, fetch another document, or end the call. */
type Next = { step: "continue" } | { step: "fetch"; ask: Ask } | { step: "end"; end: CallEnd; status?: CallStatus };

const proceed: Next = { step: "continue" };

/** A call from its first ring to its last status callback. Fetches TwiML documents and executes them. */
export class SimulatedCall {
  readonly sid = `CA${randomBytes(16).toString("hex")}`;
  readonly options: CallOptions;
  readonly createdAt = new Date();
  readonly #exchange: Exchange;
  readonly #over = new AbortController();
  readonly #statuses: StatusReports;
  readonly #done = Promise.withResolvers<void>();
  #status: CallStatus;
  #end: CallEnd | null = null;
  #answeredAt: number | null = null;
  #endedAt: number | null = null;
  #streams: MediaStream[] = [];
  #activeStream: MediaStream | null = null;
  #silentSince: number | null = null;
  #recoveries: number[] = [];
  #log: { at_ms: number; what: string; detail?: string }[] = [];
  #recorder: Recorder | null = null;
  #recordingCallback: string | null = null;
  #digits: string[];
  #digitWaiters: (() => void)[] = [];

  constructor(exchange: Exchange, options: CallOptions) {
    this.#exchange = exchange;
    this.options = options;
    this.#digits = options.digits.split("");
    this.#status = options.direction === "inbound" ? "ringing" : "queued";
    this.#statuses = new StatusReports({
      webhooks: exchange.webhooks,
      faults: exchange.faults,
      url: options.webhooks.statusUrl,
      to: options.to,
    });
    void this.#run();
  }

  get status(): CallStatus {
    return this.#status;
  }

  /** Resolves when the call has ended and all status callbacks were sent. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  /** Hangs up as the caller. */
  hangUp(): void {
    this.#finish("caller_hung_up");
  }

  /** Drops the connection of the call's media stream. Returns false if there is none. */
  cutStream(): boolean {
    this.#activeStream?.cut();
    return this.#activeStream !== null;
  }

  /** Pauses the call's media stream for `ms`. Returns false if there is none. */
  fallSilent(ms: number): boolean {
    this.#activeStream?.fallSilent(ms);
    return this.#activeStream !== null;
  }

  /** Presses keys as the caller. */
  press(digits: string): void {
    this.#digits.push(...digits.split(""));
    if (this.#activeStream) void this.#pressAll(this.#activeStream);
    for (const wake of this.#digitWaiters.splice(0)) wake();
  }

  view() {
    const streams: StreamReport[] = this.#streams.map((stream) => stream.report());
    return {
      sid: this.sid,
      direction: this.options.direction,
      from: this.options.from,
      to: this.options.to,
      status: this.#status,
      end: this.#end,
      created_at: this.createdAt.toISOString(),
      duration_s: this.#durationS(),
      heard_ms: streams.reduce((sum, stream) => sum + stream.heard_ms, 0),
      /** Gaps between the end of one stream and the first sound of the next, ms. */
      recoveries_ms: this.#recoveries,
      streams,
      log: this.#log,
    };
  }

  async #run(): Promise<void> {
    try {
      if (this.options.direction === "inbound" || (await this.#ring())) await this.#executeDocuments();
    } catch (error) {
      if (!this.#over.signal.aborted) this.#finish("application_error", "failed", String(error));
    }
    await this.#statuses.settled();
    this.#done.resolve();
  }

  /** Rings the called party of an outbound call. Returns whether it answers. */
  async #ring(): Promise<boolean> {
    const { outcome, ringMs } = this.options.callee;
    this.#become("initiated");
    this.#become("ringing");
    await sleep(ringMs, this.#over.signal);
    if (outcome === "answer") {
      this.#answer();
      return true;
    }
    this.#finish("not_answered", outcome);
    return false;
  }

  /** Fetches and executes documents until one ends the call. */
  async #executeDocuments(): Promise<void> {
    let ask: Ask | null = { url: this.options.webhooks.voiceUrl, extra: {} };
    while (ask !== null && !this.#over.signal.aborted) {
      const document: Instruction[] | null = await this.#fetchDocument(ask);
      if (document === null)
        return this.#finish("application_error", this.#answeredAt === null ? "failed" : "completed");
      ask = await this.#execute(document);
    }
  }

  /** Executes a document. Returns the next request for a document; null if the call has ended. */
  async #execute(document: Instruction[]): Promise<Ask | null> {
    for (const instruction of document) {
      this.#note(instruction.name, instruction.attributes["action"] ?? instruction.text);
      if (instruction.name !== "Reject") this.#answer();
      const next = await this.#do(instruction);
      this.#over.signal.throwIfAborted();
      if (next.step === "fetch") return next.ask;
      if (next.step === "end") {
        this.#finish(next.end, next.status);
        return null;
      }
    }
    this.#finish("document_over");
    return null;
  }

  async #do(instruction: Instruction): Promise<Next> {
    const { name, attributes, text, children } = instruction;
    switch (name) {
      case "Say":
        await this.#wait(text.length * this.#exchange.msPerLetter);
        return proceed;
      case "Play":
        await this.#wait(attributes["digits"] ? 100 * attributes["digits"].length : 10 * this.#exchange.msPerLetter);
        return proceed;
      case "Pause":
        await this.#wait(Number(attributes["length"] ?? 1) * 1000);
        return proceed;
      case "Gather":
        return this.#gather(instruction);
      case "Dial":
        return this.#dial(instruction);
      case "Record":
        return this.#record(instruction);
      case "Start":
        this.#start(children);
        return proceed;
      case "Connect":
        return this.#connect(instruction);
      case "Redirect":
        return { step: "fetch", ask: { url: text, extra: {} } };
      case "Hangup":
        return { step: "end", end: "application_hung_up" };
      case "Reject":
        return { step: "end", end: "rejected", status: attributes["reason"] === "busy" ? "busy" : "no-answer" };
      default:
        throw new Error(`the carrier does not support the TwiML verb ${name}`);
    }
  }

  async #gather({ attributes, children }: Instruction): Promise<Next> {
    for (const child of children) await this.#do(child);
    const maxDigits = Number(attributes["numDigits"] ?? Number.POSITIVE_INFINITY);
    const finishKey = attributes["finishOnKey"] ?? "#";
    const until = performance.now() + Number(attributes["timeout"] ?? 5) * 1000;
    let digits = "";
    while (digits.length < maxDigits) {
      const digit = await this.#nextDigit(until);
      if (digit === null || digit === finishKey) break;
      digits += digit;
    }
    if (digits === "" || attributes["action"] === undefined) return proceed;
    return { step: "fetch", ask: { url: attributes["action"], extra: { Digits: digits } } };
  }

  async #dial({ attributes, text, children }: Instruction): Promise<Next> {
    const number = children.find((child) => child.name === "Number")?.text ?? text;
    this.#note("dialled", number);
    await this.#wait(100 * this.#exchange.msPerLetter);
    const extra = {
      DialCallStatus: "completed",
      DialCallSid: `CA${randomBytes(16).toString("hex")}`,
      DialCallDuration: "1",
    };
    return attributes["action"] === undefined ? proceed : { step: "fetch", ask: { url: attributes["action"], extra } };
  }

  async #record({ attributes }: Instruction): Promise<Next> {
    const recorder = new Recorder();
    await this.#wait(Math.min(Number(attributes["maxLength"] ?? 3600) * 1000, 20 * this.#exchange.msPerLetter));
    const recording = this.#exchange.recordings.keep(this, recorder, 1);
    if (attributes["recordingStatusCallback"])
      this.#exchange.recordings.announce(this, recording, attributes["recordingStatusCallback"]);
    const { url, seconds } = recording;
    const action = attributes["action"] ?? this.options.webhooks.voiceUrl;
    return {
      step: "fetch",
      ask: {
        url: action,
        extra: { RecordingUrl: url, RecordingDuration: String(seconds), RecordingSid: recording.sid },
      },
    };
  }

  #start(children: Instruction[]): void {
    const recording = children.find((child) => child.name === "Recording");
    if (recording === undefined || this.#recorder !== null) return;
    this.#recorder = new Recorder();
    this.#recordingCallback = recording.attributes["recordingStatusCallback"] ?? null;
  }

  async #connect({ attributes, children }: Instruction): Promise<Next> {
    const noun = children.find((child) => child.name === "Stream");
    if (noun === undefined) throw new Error("the carrier supports Connect with a Stream only");
    const parameters = noun.children
      .filter((child) => child.name === "Parameter")
      .map(({ attributes: a }) => [a["name"] ?? "", a["value"] ?? ""]);
    const stream = new MediaStream({
      url: noun.attributes["url"] ?? "",
      parameters: Object.fromEntries(parameters),
      callSid: this.sid,
      accountSid: this.#exchange.accountSid,
      authToken: this.#token(),
      ca: this.#exchange.ca,
      pacer: this.#exchange.pacer,
      recorder: this.#recorder,
      audio: this.options.audio,
      onAudio: this.options.onAudio,
      onHeard: () => {
        if (this.#silentSince !== null) this.#recoveries.push(Math.round(performance.now() - this.#silentSince));
        this.#silentSince = null;
        void this.#pressAll(stream);
      },
    });
    this.#streams.push(stream);
    this.#activeStream = stream;
    const cut = this.#exchange.faults.strike("cut_stream", this.options.to);
    const cutting = cut === undefined ? undefined : setTimeout(() => stream.cut(), cut.ms);
    const hangUp = () => stream.stop();
    this.#over.signal.addEventListener("abort", hangUp, { once: true });
    await stream.ended;
    clearTimeout(cutting);
    this.#over.signal.removeEventListener("abort", hangUp);
    this.#activeStream = null;
    this.#silentSince ??= performance.now();
    this.#note("stream over", String(stream.report().close_code));
    return attributes["action"] === undefined
      ? proceed
      : { step: "fetch", ask: { url: attributes["action"], extra: { StreamSid: stream.sid } } };
  }

  /** Fetches a document from a URL, or from the fallback after a failure. Returns null if both fail. */
  async #fetchDocument({ url, extra }: Ask): Promise<Instruction[] | null> {
    const answer = await this.#post(url, extra);
    const document = this.#read(url, answer);
    const { fallbackUrl } = this.options.webhooks;
    if (document !== null || fallbackUrl === null || this.#over.signal.aborted) return document;
    const error = { ErrorCode: answer.status === null ? "11205" : "11200", ErrorUrl: url };
    return this.#read(fallbackUrl, await this.#post(fallbackUrl, { ...extra, ...error }));
  }

  async #post(url: string, extra: Record<string, string>): Promise<Answer> {
    const { webhooks, faults } = this.#exchange;
    const form = this.#form(extra);
    const options = { authToken: this.#token(), signal: this.#over.signal };
    const answer = await webhooks.post(url, form, options);
    return faults.strike("repeated_webhook", this.options.to) ? webhooks.post(url, form, options) : answer;
  }

  #read(url: string, answer: Answer): Instruction[] | null {
    const result = answer.status === null ? answer.error : String(answer.status);
    this.#note("asked", `${url} → ${result}`);
    if (answer.status === null || answer.status >= 300) return null;
    try {
      return readDocument(answer.text);
    } catch (error) {
      this.#note("no TwiML", String(error));
      return null;
    }
  }

  #form(extra: Record<string, string> = {}): URLSearchParams {
    const { direction, from, to } = this.options;
    return new URLSearchParams({
      AccountSid: this.#exchange.accountSid,
      ApiVersion: "2010-04-01",
      CallSid: this.sid,
      CallStatus: this.#status,
      Called: to,
      Caller: from,
      Direction: direction,
      From: from,
      To: to,
      ...extra,
    });
  }

  #token(): string {
    const { authToken, faults } = this.#exchange;
    return faults.strike("bad_signature", this.options.to) ? `not ${authToken}` : authToken;
  }

  #answer(): void {
    if (this.#answeredAt !== null) return;
    this.#answeredAt = performance.now();
    this.#become("in-progress");
    const { durationS } = this.options;
    if (durationS === null) return;
    const timer = setTimeout(() => this.hangUp(), durationS * 1000);
    this.#over.signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  }

  #finish(end: CallEnd, status: CallStatus = "completed", detail?: string): void {
    if (this.#end !== null) return;
    this.#end = end;
    this.#endedAt = performance.now();
    this.#note("over", detail ?? end);
    this.#over.abort(new Error("the call has ended"));
    this.#become(this.#answeredAt === null && end === "caller_hung_up" ? "canceled" : status);
    if (this.#recorder === null || this.#recordingCallback === null) return;
    const recording = this.#exchange.recordings.keep(this, this.#recorder, 2);
    this.#exchange.recordings.announce(this, recording, this.#recordingCallback);
  }

  #become(status: CallStatus): void {
    this.#status = status;
    const isFinal = this.#end !== null;
    const form = this.#form(isFinal ? { CallDuration: String(this.#durationS()), Duration: "1" } : {});
    this.#statuses.report(form, isFinal);
  }

  #durationS(): number {
    if (this.#answeredAt === null) return 0;
    return Math.round(((this.#endedAt ?? performance.now()) - this.#answeredAt) / 1000);
  }

  async #pressAll(stream: MediaStream): Promise<void> {
    // A key that is pressed between two streams waits for the next one.
    while (this.#activeStream === stream && this.#digits[0] !== undefined && stream.press(this.#digits[0])) {
      this.#digits.shift();
      await sleep(500, this.#over.signal).catch(() => {});
    }
  }

  async #nextDigit(until: number): Promise<string | null> {
    if (this.#digits.length === 0 && performance.now() < until) {
      const pressed = new Promise<void>((resolve) => void this.#digitWaiters.push(resolve));
      await Promise.race([pressed, sleep(until - performance.now(), this.#over.signal)]);
    }
    return this.#digits.shift() ?? null;
  }

  async #wait(ms: number): Promise<void> {
    await sleep(ms, this.#over.signal);
  }

  #note(what: string, detail?: string): void {
    const at_ms = Date.now() - this.createdAt.getTime();
    this.#log.push({ at_ms, what, ...(detail ? { detail: detail.slice(0, 300) } : {}) });
  }
}
