import type { ServerWebSocket } from "bun";
import { AppError, messageOf } from "../../../lib/core/errors.ts";
import type { ErrorCode } from "../../../lib/core/errors.ts";
import type { FromAgent, StopReason, TransferFailure } from "../agent/protocol.ts";
import { bytesPerSecond, protocolVersion } from "../agent/protocol.ts";
import { CallRefused, ownNumber, takeSlot } from "../flow/core.ts";
import type { Core } from "../flow/core.ts";
import type { CallChanges, CallState } from "../state/call.ts";
import { isFinal, isLater } from "../state/call.ts";
import { readFrame } from "../twilio/frames.ts";
import type { CarrierFrame, MediaFrame, StartFrame } from "../twilio/frames.ts";
import { AgentLink } from "./agent_link.ts";
import type { AgentAddress } from "./agent_link.ts";
import { Playout } from "./playout.ts";
import type { StreamTokens } from "./token.ts";

export type StreamOptions = {
  core: Core;
  tokens: StreamTokens;
  /** Null: none is configured, and no stream is taken. */
  agent: AgentAddress | null;
  /** How long the agent may be out of reach before the call is given up. */
  agentPatienceMs?: number;
  /** This replica, as the call's state names it. */
  replica: string;
  /** How long the first message that counts may take after the socket is open. */
  startMs?: number;
  /** A carrier that sends nothing for this long is gone: it sends a frame every 20 ms. */
  idleMs?: number;
  /** Frames that may be nonsense before the stream is closed. */
  maxNonsense?: number;
};

/** Close codes of RFC 6455 §7.4, as they are used here. */
const closing = {
  normal: 1000,
  unsupported: 1003,
  nonsense: 1007,
  refused: 1008,
  restart: 1012,
  unavailable: 1013,
} as const;

/** What the agent is told if a transfer is not authorized. */
const transferFaults: Partial<Record<ErrorCode, TransferFailure>> = {
  forbidden: "destination_not_allowed",
  rate_limited: "daily_limit",
};

/** Why a stream is over, and what its call's state says then; null: nothing, another has the call. */
type End = "stopped" | "broken" | "leaving" | "handover" | "superseded" | "refused";

/*
 *  waiting ──start──▶ claiming ──state says so──▶ live ──▶ over
 *     └──────────────────┴──refused───────────────────────▶ over
 *
 * A stream belongs to its call from the moment the state says so (`streaming`, with this replica's name) until it
 * says otherwise. Redis being away ends no stream.
 */
type Phase = "waiting" | "claiming" | "live" | "over";

/** One media stream of one call, between the carrier and the agent. */
export class StreamSession {
  readonly callSid: string;
  readonly #options: StreamOptions;
  readonly #socket: ServerWebSocket<unknown>;
  readonly #onOver: (session: StreamSession) => void;
  readonly #onLive: (session: StreamSession) => void;
  #phase: Phase = "waiting";
  #call: CallState | null = null;
  #streamSid = "";
  #agent: AgentLink | null = null;
  #playout: Playout | null = null;
  #early: CarrierFrame[] = [];
  #startTimer: Timer;
  #lastFrameAt = performance.now();
  #lastChunk = -1;
  #nonsense = 0;
  /** A transfer is being authorized. */
  #transferring = false;
  /** Audio heard before this stream, and in it. */
  #baseMs = 0;
  #bytes = 0;
  #agentState: string | null = null;
  #saving: Promise<void> = Promise.resolve();
  #checkpoint: Promise<void> | null = null;

  constructor(
    callSid: string,
    socket: ServerWebSocket<unknown>,
    options: StreamOptions,
    on: { live: (session: StreamSession) => void; over: (session: StreamSession) => void },
  ) {
    this.callSid = callSid;
    this.#socket = socket;
    this.#options = options;
    this.#onLive = on.live;
    this.#onOver = on.over;
    this.#startTimer = setTimeout(() => this.#refuse("no_start", closing.refused), options.startMs ?? 10_000);
  }

  /** The call as this replica last saw it; null before it is claimed. */
  get call(): CallState | null {
    return this.#call;
  }

  receive(data: string | Buffer): void {
    if (this.#phase === "over") return;
    this.#lastFrameAt = performance.now();
    if (typeof data !== "string") return this.#refuse("binary", closing.unsupported);
    const frame = readFrame(data);
    if (frame === null) return this.#takeNonsense();
    this.#take(frame);
  }

  drained(): void {
    this.#playout?.drained();
  }

  /** The carrier's socket is closed. */
  closed(): void {
    void this.#end("broken");
  }

  /** Closes a stream whose carrier has gone silent. */
  checkIdle(now = performance.now()): void {
    if (this.#phase !== "live" || now - this.#lastFrameAt < (this.#options.idleMs ?? 15_000)) return;
    this.#options.core.logger.warn({ call_sid: this.callSid }, "the carrier has gone silent");
    void this.#end("broken", closing.normal);
  }

  /** Gives the call to another replica: the carrier asks where to go on. */
  handOver(): Promise<void> {
    return this.#end("handover", closing.restart);
  }

  /** Writes down how far the call is. A stream whose call is another's by now ends. */
  checkpoint(): Promise<void> {
    if (this.#phase !== "live") return Promise.resolve();
    // One that has not begun yet will write what is so by then.
    this.#checkpoint ??= this.#save(() => {
      this.#checkpoint = null;
      return this.#progress();
    });
    return this.#checkpoint;
  }

  #take(frame: CarrierFrame): void {
    switch (this.#phase) {
      case "waiting":
        if (frame.event === "connected") return;
        if (frame.event !== "start") return this.#refuse("before_start", closing.refused);
        this.#phase = "claiming";
        clearTimeout(this.#startTimer);
        void this.#claim(frame);
        return;
      case "claiming":
        // Redis answers within half a second: some 25 frames.
        if (this.#early.length >= 100) return this.#refuse("claim_slow", closing.unavailable);
        this.#early.push(frame);
        return;
      case "live":
        return this.#relay(frame);
      case "over":
        return;
    }
  }

  async #claim(frame: StartFrame): Promise<void> {
    const { core, tokens, replica } = this.#options;
    const { start } = frame;
    const grant =
      start.callSid === this.callSid ? tokens.read(start.customParameters["token"] ?? "", this.callSid) : null;
    if (grant === null || start.streamSid !== frame.streamSid) return this.#refuse("token", closing.refused);
    if (this.#options.agent === null) return this.#refuse("no_agent", closing.unavailable);
    try {
      let refusal: string | null = null;
      const claimed = await core.store.change(this.callSid, (call, nowMs) => {
        refusal = null;
        if (call.step !== "offered" || call.stream !== grant.stream) refusal = "replayed";
        else if (nowMs > grant.expiresAt) refusal = "expired";
        if (refusal !== null) return null;
        const status = isLater(call.status, "in-progress") ? "in-progress" : call.status;
        return {
          step: "streaming",
          stream_sid: start.streamSid,
          replica,
          status,
          answered_at: call.answered_at ?? nowMs,
        };
      });
      if (claimed === null || refusal !== null) return this.#refuse(refusal ?? "unknown_call", closing.refused);
      // The socket may have been closed at either wait.
      const hasSlot = this.#isClaiming() && (await this.#takeSlot(claimed.call));
      if (!hasSlot || !this.#isClaiming()) return await this.#release(claimed.call);
      this.#begin(claimed.call, start.streamSid, this.#options.agent);
    } catch (error) {
      core.logger.warn({ error: messageOf(error), call_sid: this.callSid }, "a stream could not be claimed");
      this.#refuse("unavailable", closing.unavailable);
    }
  }

  #isClaiming(): boolean {
    return this.#phase === "claiming";
  }

  /**
   * The slot has been the call's since it was offered the stream, unless that was longer ago than a lease. False:
   * others have it by now, and the carrier will be told so when it asks what next.
   */
  async #takeSlot(call: CallState): Promise<boolean> {
    const line = { business_id: call.business_id, max_concurrent: call.max_concurrent };
    try {
      await takeSlot(this.#options.core, { callSid: this.callSid, line, carried: true });
      return true;
    } catch (error) {
      if (!(error instanceof CallRefused)) throw error;
      this.#refuse("full", closing.unavailable);
      return false;
    }
  }

  #begin(call: CallState, streamSid: string, agent: AgentAddress): void {
    const { core } = this.#options;
    this.#call = call;
    this.#phase = "live";
    this.#streamSid = streamSid;
    this.#baseMs = call.position_ms;
    this.#agentState = call.agent_state;
    let connections = 0;
    this.#playout = new Playout(this.#socket, streamSid, (droppedMs) => {
      core.metrics.frameRefused("carrier_slow");
      this.#agent?.send({ type: "overrun", dropped_ms: droppedMs });
    });
    this.#agent = new AgentLink({
      agent,
      patienceMs: this.#options.agentPatienceMs,
      start: () => ({
        type: "start",
        version: protocolVersion,
        call_sid: this.callSid,
        business_id: call.business_id,
        direction: call.direction,
        from: call.from,
        to: call.to,
        resumed: call.stream > 1 || connections++ > 0,
        position_ms: this.#positionMs(),
        state: this.#agentState,
      }),
      onAudio: (audio) => this.#playout?.audio(audio),
      onMessage: (message) => this.#obey(message),
      onDropped: (reason) => core.metrics.frameRefused(reason),
      onGone: () => {
        core.logger.error({ call_sid: this.callSid }, "the agent cannot be reached; the call is given up");
        void this.#end("leaving", closing.normal, { exit: "apology" });
      },
    });
    this.#onLive(this);
    core.logger.info({ call_sid: this.callSid, stream: call.stream, business_id: call.business_id }, "stream started");
    for (const frame of this.#early.splice(0)) this.#take(frame);
  }

  #relay(frame: CarrierFrame): void {
    switch (frame.event) {
      case "media":
        return this.#relayMedia(frame);
      case "dtmf":
        if (this.#isOurs(frame)) this.#agent?.send({ type: "dtmf", digit: frame.dtmf.digit });
        return;
      case "mark":
        if (this.#isOurs(frame)) this.#agent?.send({ type: "mark", name: frame.mark.name });
        return;
      case "stop":
        if (this.#isOurs(frame)) void this.#end("stopped", closing.normal);
        return;
      case "connected":
      case "start":
        this.#takeNonsense();
    }
  }

  #relayMedia(frame: MediaFrame): void {
    if (!this.#isOurs(frame)) return;
    // A chunk that was there already would be heard twice.
    if (frame.media.chunk <= this.#lastChunk) return this.#options.core.metrics.frameRefused("repeated");
    this.#lastChunk = frame.media.chunk;
    const audio = Buffer.from(frame.media.payload, "base64");
    this.#bytes += audio.length;
    this.#agent?.sendAudio(audio);
  }

  #isOurs(frame: { streamSid: string }): boolean {
    if (frame.streamSid === this.#streamSid) return true;
    this.#takeNonsense();
    return false;
  }

  #obey(message: FromAgent): void {
    switch (message.type) {
      case "mark":
        return this.#playout?.mark(message.name);
      case "clear":
        return this.#playout?.clear();
      case "state":
        this.#agentState = message.state;
        // At once and not at the next checkpoint: it is what a call that is cut off now goes on from.
        void this.checkpoint();
        return;
      case "hangup":
        void this.#end("leaving", closing.normal, { exit: "hangup" });
        return;
      case "transfer":
        void this.#transfer(message.to);
    }
  }

  /** Hands the caller to another number, or tells the agent why not; the conversation goes on then. */
  async #transfer(to: string): Promise<void> {
    if (this.#transferring || this.#phase !== "live") return;
    this.#transferring = true;
    const { core } = this.#options;
    try {
      const { line } = await core.lines.find(ownNumber(this.#call!), "");
      if (line?.business_id !== this.#call!.business_id)
        throw new AppError("forbidden", "The number is another business's now.");
      await core.authorizeDial({ line, to });
    } catch (error) {
      const reason = error instanceof AppError ? transferFaults[error.code] : undefined;
      core.logger.warn({ call_sid: this.callSid, reason, error: messageOf(error) }, "transfer refused");
      this.#agent?.send({ type: "transfer_failed", to, reason: reason ?? "unavailable" });
      this.#transferring = false;
      return;
    }
    await this.#end("leaving", closing.normal, { exit: "transfer", transfer_to: to });
  }

  #takeNonsense(): void {
    this.#options.core.metrics.frameRefused("nonsense");
    this.#nonsense += 1;
    if (this.#phase !== "live") return this.#refuse("nonsense", closing.nonsense);
    if (this.#nonsense > (this.#options.maxNonsense ?? 50)) void this.#end("broken", closing.nonsense);
  }

  #refuse(reason: string, code: number): void {
    if (this.#phase === "over") return;
    this.#phase = "over";
    clearTimeout(this.#startTimer);
    this.#early = [];
    this.#options.core.metrics.frameRefused(reason);
    this.#options.core.logger.warn({ call_sid: this.callSid, reason }, "stream refused");
    this.#options.core.metrics.streamEnded("refused" satisfies End);
    this.#socket.close(code, reason);
    this.#onOver(this);
  }

  /** A stream that was claimed and did not begin: its socket closed, or there was no slot. */
  async #release(call: CallState): Promise<void> {
    await this.#options.core.store.changeFrom(call, { step: "broken", stream_sid: null, replica: null });
  }

  #positionMs(): number {
    return this.#baseMs + Math.round((this.#bytes * 1000) / bytesPerSecond);
  }

  #progress(): CallChanges {
    // A second of audio is more than a stream that breaks at once carries.
    const fruitful = this.#bytes >= bytesPerSecond;
    return { position_ms: this.#positionMs(), agent_state: this.#agentState, ...(fruitful ? { fruitless: 0 } : {}) };
  }

  async #end(end: Exclude<End, "refused">, code?: number, more: CallChanges = {}): Promise<void> {
    if (this.#phase === "over") return this.#saving;
    const live = this.#phase === "live";
    this.#phase = "over";
    clearTimeout(this.#startTimer);
    const reasons: Record<typeof end, StopReason> = {
      stopped: "hung_up",
      broken: "broken",
      leaving: "ended",
      handover: "handover",
      superseded: "handover",
    };
    this.#agent?.close(reasons[end]);
    const { core } = this.#options;
    core.metrics.streamEnded(end);
    if (live && end !== "superseded") {
      const steps = { stopped: "stopped", broken: "broken", handover: "broken", leaving: "leaving" } as const;
      // Before the socket is closed: the carrier asks what next the moment it is.
      await this.#save(() => ({ ...this.#progress(), ...more, step: steps[end], stream_sid: null, replica: null }));
      core.logger.info(
        { call_sid: this.callSid, stream: this.#call?.stream, end, position_ms: this.#positionMs() },
        "stream over",
      );
      await this.#letSlotGo(end, more);
    }
    if (code !== undefined) this.#socket.close(code, end);
    this.#onOver(this);
  }

  /** The caller hung up, or another carries the call: it does not count any more. Else its slot stays for the next stream. */
  async #letSlotGo(end: End, { exit }: CallChanges): Promise<void> {
    if (end === "stopped" || exit === "transfer") await this.#releaseSlot();
  }

  /** Where Redis is away the lease runs out by itself. */
  async #releaseSlot(): Promise<void> {
    await this.#options.core.capacity
      .release({ callSid: this.callSid, businessId: this.#call!.business_id })
      .catch(() => {});
  }

  /** One change after the other, each from the version that the one before it left. */
  #save(changes: () => CallChanges): Promise<void> {
    this.#saving = this.#saving
      .then(() => this.#write(changes()))
      .catch((error: unknown) => {
        this.#options.core.logger.warn(
          { error: messageOf(error), call_sid: this.callSid },
          "the call's state could not be written",
        );
      });
    return this.#saving;
  }

  async #write(changes: CallChanges): Promise<void> {
    const known = this.#call!;
    const result = await this.#options.core.store.changeFrom(known, changes);
    if (result.call === null) return this.#restore(changes);
    if (this.#isThoughtOver(result.call)) return this.#revive(result.call, changes);
    const lost = result.call.step === "ended" || result.call.stream !== known.stream;
    if (lost) return this.#yield(result.call);
    this.#call = result.call;
    if (!result.changed) await this.#write(changes);
  }

  /** The sweep took this call for over: nothing was heard of it while this replica could not reach Redis. */
  #isThoughtOver(call: CallState): boolean {
    return (
      call.step === "ended" && !isFinal(call.status) && call.stream === this.#call!.stream && this.#phase === "live"
    );
  }

  /** Nobody said that the call is over, and it is carried here: it is not. */
  #revive(call: CallState, changes: CallChanges): Promise<void> {
    const { stream_sid, replica } = this.#call!;
    this.#options.core.logger.warn({ call_sid: this.callSid }, "the call was thought to be over, and goes on");
    this.#call = call;
    return this.#write({ step: "streaming", ended_at: null, stream_sid, replica, ...changes });
  }

  /** The call has ended, or goes on in another stream. */
  async #yield(call: CallState): Promise<void> {
    if (this.#phase === "live") void this.#end("superseded", closing.normal);
    // It may have been renewed here after it was given back there.
    if (call.step === "ended") await this.#releaseSlot();
  }

  /** Redis forgot the call; it goes on here, so here is what is known of it. */
  async #restore(changes: CallChanges): Promise<void> {
    const { version: _, ...known } = this.#call!;
    this.#call = (await this.#options.core.store.begin({ ...known, ...changes })).call;
  }
}
