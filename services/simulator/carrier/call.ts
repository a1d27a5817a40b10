import { randomBytes } from "node:crypto";
import { sleep } from "../../../lib/core/time.ts";
import { CallMedia } from "./call_media.ts";
import type { CallContext, CallEnd, CallOptions, CallStatus, Exchange, Next, Request } from "./call_options.ts";
import { CallWebhooks } from "./call_webhooks.ts";
import type { Instruction } from "./document.ts";
import { execute } from "./instructions.ts";
import { Keypad } from "./keypad.ts";
import { StatusReports } from "./status_reports.ts";

/** A call, from its first ring to its last status callback. */
export class SimulatedCall {
  readonly sid = `CA${randomBytes(16).toString("hex")}`;
  readonly options: CallOptions;
  readonly createdAt = new Date();
  readonly #context: CallContext;
  readonly #over = new AbortController();
  readonly #statuses: StatusReports;
  readonly #webhooks: CallWebhooks;
  readonly #keypad: Keypad;
  readonly #media: CallMedia;
  readonly #done = Promise.withResolvers<void>();
  #redirected = Promise.withResolvers<Next>();
  readonly #log: { at_ms: number; what: string; detail?: string }[] = [];
  #status: CallStatus;
  #end: CallEnd | null = null;
  #answeredAt: number | null = null;
  #endedAt: number | null = null;

  constructor(exchange: Exchange, options: CallOptions) {
    this.options = options;
    this.#context = {
      sid: this.sid,
      options,
      exchange,
      over: this.#over.signal,
      status: () => this.#status,
      note: (what, detail) => this.#note(what, detail),
    };
    this.#keypad = new Keypad(options.digits, this.#over.signal);
    this.#media = new CallMedia(this.#context, this.#keypad);
    this.#webhooks = new CallWebhooks(this.#context);
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

  /** Resolves when the call is over and every status callback was sent. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  /** The caller hangs up. */
  hangUp(): void {
    this.#finish("caller_hung_up");
  }

  /** Cuts the connection of the call's stream. Returns false if it has none. */
  cutStream(): boolean {
    return this.#media.cut();
  }

  /** Stops sending on the call's stream for some time. Returns false if it has none. */
  fallSilent(ms: number): boolean {
    return this.#media.fallSilent(ms);
  }

  /** The caller presses keys. */
  press(digits: string): void {
    this.#keypad.press(digits);
    this.#media.pressKeys();
    this.#keypad.wake();
  }

  /** Interrupts the current instruction and requests `url`. Returns false if the call is not in progress. */
  redirect(url: string): boolean {
    if (this.#status !== "in-progress") return false;
    this.#note("redirected", url);
    this.#redirected.resolve({ step: "fetch", request: { url, extra: {} } });
    return true;
  }

  view() {
    const streams = this.#media.reports();
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
      recoveries_ms: this.#media.recoveries,
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

  /** An outbound call rings at the other end. Resolves with whether it is answered. */
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

  /** Requests instructions and executes them until they end. */
  async #executeDocuments(): Promise<void> {
    let request: Request | null = { url: this.options.webhooks.voiceUrl, extra: {} };
    while (request !== null && !this.#over.signal.aborted) {
      this.#redirected = Promise.withResolvers<Next>();
      const document: Instruction[] | null = await this.#webhooks.instructions(request);
      if (document === null)
        return this.#finish("application_error", this.#answeredAt === null ? "failed" : "completed");
      request = await this.#execute(document);
    }
  }

  async #execute(document: Instruction[]): Promise<Request | null> {
    const parts = { media: this.#media, keypad: this.#keypad };
    for (const instruction of document) {
      this.#note(instruction.name, instruction.attributes["action"] ?? instruction.text);
      if (instruction.name !== "Reject") this.#answer();
      const next = await Promise.race([this.#redirected.promise, execute(this.#context, parts, instruction)]);
      if (next.step === "fetch") this.#media.abandonStream();
      this.#over.signal.throwIfAborted();
      if (next.step === "fetch") return next.request;
      if (next.step === "end") {
        this.#finish(next.end, next.status);
        return null;
      }
    }
    this.#finish("document_over");
    return null;
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
    this.#media.finishRecording();
  }

  #become(status: CallStatus): void {
    this.#status = status;
    const isFinal = this.#end !== null;
    const extra: Record<string, string> = isFinal ? { CallDuration: String(this.#durationS()), Duration: "1" } : {};
    this.#statuses.report(this.#webhooks.form(extra), isFinal);
  }

  #durationS(): number {
    if (this.#answeredAt === null) return 0;
    return Math.round(((this.#endedAt ?? performance.now()) - this.#answeredAt) / 1000);
  }

  #note(what: string, detail?: string): void {
    const at_ms = Date.now() - this.createdAt.getTime();
    this.#log.push({ at_ms, what, ...(detail ? { detail: detail.slice(0, 300) } : {}) });
  }
}
