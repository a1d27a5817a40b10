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

/** How a call came to its end. */
export type CallEnd =
  | "caller_hung_up"
  | "application_hung_up"
  | "rejected"
  | "document_over"
  | "application_error"
  | "not_answered";

/** Where the carrier asks what to do, and whom it tells. */
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

/** What calls share. */
export type Exchange = {
  accountSid: string;
  authToken: string;
  ca?: string | undefined;
  webhooks: WebhookClient;
  faults: CarrierFaults;
  pacer: Pacer;
  recordings: Recordings;
  /** How long a letter takes to be said, ms; a dialled party talks this many times a hundred letters. */
  msPerLetter: number;
};

type Ask = { url: string; extra: Record<string, string> };

/** What to do after an instruction: go on with the next, ask for others, or end the call. */
type Next = { go: "on" } | { go: "ask"; ask: Ask } | { go: "end"; end: CallEnd; status?: CallStatus };

const on: Next = { go: "on" };

/** A call, from its first ring to its last status callback. */
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
  #live: MediaStream | null = null;
  #brokeAt: number | null = null;
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

  /** Resolves when the call is over and everybody was told. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  /** The caller hangs up. */
  hangUp(): void {
    this.#finish("caller_hung_up");
  }

  /** Cuts the connection of the call's stream; false where it has none. */
  cutStream(): boolean {
    this.#live?.cut();
    return this.#live !== null;
  }

  /** Has the call's stream send nothing for some time; false where it has none. */
  fallSilent(ms: number): boolean {
    this.#live?.fallSilent(ms);
    return this.#live !== null;
  }

  /** The caller presses keys. */
  press(digits: string): void {
    this.#digits.push(...digits.split(""));
    if (this.#live) void this.#pressAll(this.#live);
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
      /** Silences between the end of one stream and the first sound of the next, ms. */
      recoveries_ms: this.#recoveries,
      streams,
      log: this.#log,
    };
  }

  async #run(): Promise<void> {
    try {
      if (this.options.direction === "inbound" || (await this.#ring())) await this.#follow();
    } catch (error) {
      if (!this.#over.signal.aborted) this.#finish("application_error", "failed", String(error));
    }
    await this.#statuses.settled();
    this.#done.resolve();
  }

  /** An outbound call rings at the other end; false where nobody takes it. */
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

  /** Asks for instructions and follows them until they end. */
  async #follow(): Promise<void> {
    let ask: Ask | null = { url: this.options.webhooks.voiceUrl, extra: {} };
    while (ask !== null && !this.#over.signal.aborted) {
      const document: Instruction[] | null = await this.#ask(ask);
      if (document === null)
        return this.#finish("application_error", this.#answeredAt === null ? "failed" : "completed");
      ask = await this.#carryOut(document);
    }
  }

  async #carryOut(document: Instruction[]): Promise<Ask | null> {
    for (const instruction of document) {
      this.#note(instruction.name, instruction.attributes["action"] ?? instruction.text);
      if (instruction.name !== "Reject") this.#answer();
      const next = await this.#do(instruction);
      this.#over.signal.throwIfAborted();
      if (next.go === "ask") return next.ask;
      if (next.go === "end") {
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
        return on;
      case "Play":
        await this.#wait(attributes["digits"] ? 100 * attributes["digits"].length : 10 * this.#exchange.msPerLetter);
        return on;
      case "Pause":
        await this.#wait(Number(attributes["length"] ?? 1) * 1000);
        return on;
      case "Gather":
        return this.#gather(instruction);
      case "Dial":
        return this.#dial(instruction);
      case "Record":
        return this.#record(instruction);
      case "Start":
        this.#start(children);
        return on;
      case "Connect":
        return this.#connect(instruction);
      case "Redirect":
        return { go: "ask", ask: { url: text, extra: {} } };
      case "Hangup":
        return { go: "end", end: "application_hung_up" };
      case "Reject":
        return { go: "end", end: "rejected", status: attributes["reason"] === "busy" ? "busy" : "no-answer" };
      default:
        throw new Error(`an instruction that this carrier does not know: ${name}`);
    }
  }

  async #gather({ attributes, children }: Instruction): Promise<Next> {
    for (const child of children) await this.#do(child);
    const wanted = Number(attributes["numDigits"] ?? Number.POSITIVE_INFINITY);
    const finish = attributes["finishOnKey"] ?? "#";
    const until = performance.now() + Number(attributes["timeout"] ?? 5) * 1000;
    let given = "";
    while (given.length < wanted) {
      const digit = await this.#nextDigit(until);
      if (digit === null || digit === finish) break;
      given += digit;
    }
    if (given === "" || attributes["action"] === undefined) return on;
    return { go: "ask", ask: { url: attributes["action"], extra: { Digits: given } } };
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
    return attributes["action"] === undefined ? on : { go: "ask", ask: { url: attributes["action"], extra } };
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
      go: "ask",
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
    if (noun === undefined) throw new Error("this carrier connects to streams only");
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
        if (this.#brokeAt !== null) this.#recoveries.push(Math.round(performance.now() - this.#brokeAt));
        this.#brokeAt = null;
        void this.#pressAll(stream);
      },
    });
    this.#streams.push(stream);
    this.#live = stream;
    const cut = this.#exchange.faults.strike("cut_stream", this.options.to);
    const cutting = cut === undefined ? undefined : setTimeout(() => stream.cut(), cut.ms);
    const hangUp = () => stream.stop();
    this.#over.signal.addEventListener("abort", hangUp, { once: true });
    await stream.ended;
    clearTimeout(cutting);
    this.#over.signal.removeEventListener("abort", hangUp);
    this.#live = null;
    this.#brokeAt ??= performance.now();
    this.#note("stream over", String(stream.report().close_code));
    return attributes["action"] === undefined
      ? on
      : { go: "ask", ask: { url: attributes["action"], extra: { StreamSid: stream.sid } } };
  }

  /** The document that a URL answers with, or the fallback; null where neither has one. */
  async #ask({ url, extra }: Ask): Promise<Instruction[] | null> {
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
    const said = answer.status === null ? answer.error : String(answer.status);
    this.#note("asked", `${url} → ${said}`);
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
    this.#over.abort(new Error("the call is over"));
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
    // A key pressed in a silence between two streams waits for the next.
    while (this.#live === stream && this.#digits[0] !== undefined && stream.press(this.#digits[0])) {
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
