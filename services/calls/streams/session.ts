import type { ServerWebSocket } from "bun";
import { messageOf } from "../../../lib/core/errors.ts";
import type { StopReason } from "../agent/protocol.ts";
import { CallRefused, takeSlot } from "../flow/core.ts";
import type { Core } from "../flow/core.ts";
import type { CallChanges, CallState } from "../state/call.ts";
import { readFrame } from "../twilio/frames.ts";
import type { CarrierFrame, StartFrame } from "../twilio/frames.ts";
import type { AgentAddress } from "./agent_link.ts";
import { claimStream } from "./claim.ts";
import { closeCodes } from "./close_codes.ts";
import { Conversation } from "./conversation.ts";
import { SavedCall } from "./saved_call.ts";
import type { StreamTokens } from "./token.ts";
import { authorizeTransfer } from "./transfer.ts";

export type StreamOptions = {
  core: Core;
  tokens: StreamTokens;
  /** Null if no agent is configured: every stream is refused. */
  agent: AgentAddress | null;
  /** How long the agent may be unreachable before the call ends. */
  agentPatienceMs?: number;
  /** Name of this replica in the call's state. */
  replica: string;
  /** A carrier silent for this long is gone, because it sends a frame every 20 ms. */
  idleMs?: number;
};

/** Timeout for the start message after the socket opened. */
const startMs = 10_000;
/** Invalid frames after which the stream is closed. */
const maxInvalid = 50;

/** Why a stream ended. */
type End = "stopped" | "broken" | "leaving" | "handover" | "superseded" | "refused";

/*
 *  waiting ──start──▶ claiming ──state names it──▶ live ──▶ over
 *     └──────────────────┴──refused────────────────────────▶ over
 *
 * A stream owns its call from the moment the call's state names it (`streaming`, with this replica) until the state
 * names another. A Redis outage ends no stream.
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
  #saved: SavedCall | null = null;
  #conversation: Conversation | null = null;
  #early: CarrierFrame[] = [];
  #startTimer: Timer;
  #lastFrameAt = performance.now();
  #invalid = 0;
  /** A transfer is being authorized. */
  #transferring = false;
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
    this.#startTimer = setTimeout(() => this.#refuse("no_start", closeCodes.refused), startMs);
  }

  /** The call as this replica last saw it; null before it is claimed. */
  get call(): CallState | null {
    return this.#saved?.call ?? null;
  }

  receive(data: string | Buffer): void {
    if (this.#phase === "over") return;
    this.#lastFrameAt = performance.now();
    if (typeof data !== "string") return this.#refuse("binary", closeCodes.unsupported);
    const frame = readFrame(data);
    if (frame === null) return this.#countInvalid();
    this.#take(frame);
  }

  drained(): void {
    this.#conversation?.drained();
  }

  /** The carrier's socket is closed. */
  closed(): void {
    void this.#end("broken");
  }

  /** Closes a stream whose carrier has gone silent. */
  checkIdle(now = performance.now()): void {
    if (this.#phase !== "live" || now - this.#lastFrameAt < (this.#options.idleMs ?? 15_000)) return;
    this.#options.core.logger.warn({ call_sid: this.callSid }, "the carrier has gone silent");
    void this.#end("broken", closeCodes.normal);
  }

  /** Hands the call over: the carrier asks another replica how to continue. */
  handOver(): Promise<void> {
    return this.#end("handover", closeCodes.restart);
  }

  /** Saves the call's progress. Ends a stream whose call another one carries. */
  checkpoint(): Promise<void> {
    if (this.#phase !== "live") return Promise.resolve();
    // A checkpoint that still waits in the queue will write the latest progress.
    this.#checkpoint ??= this.#save(() => {
      this.#checkpoint = null;
      return this.#conversation?.progress ?? {};
    });
    return this.#checkpoint;
  }

  #take(frame: CarrierFrame): void {
    switch (this.#phase) {
      case "waiting":
        if (frame.event === "connected") return;
        if (frame.event !== "start") return this.#refuse("before_start", closeCodes.refused);
        this.#phase = "claiming";
        clearTimeout(this.#startTimer);
        void this.#claim(frame);
        return;
      case "claiming":
        // Redis answers within half a second: some 25 frames.
        if (this.#early.length >= 100) return this.#refuse("claim_slow", closeCodes.unavailable);
        this.#early.push(frame);
        return;
      case "live":
        return this.#conversation?.relay(frame);
      case "over":
        return;
    }
  }

  async #claim(frame: StartFrame): Promise<void> {
    const { core } = this.#options;
    try {
      const claim = await claimStream(this.#options, this.callSid, frame);
      if ("refusal" in claim) return this.#refuse(claim.refusal, claim.code);
      // The socket may close during either await.
      const hasSlot = this.#isClaiming() && (await this.#takeSlot(claim.call));
      if (!hasSlot || !this.#isClaiming()) return await this.#release(claim.call);
      this.#begin(claim.call, frame.start.streamSid, claim.agent);
    } catch (error) {
      core.logger.warn({ error: messageOf(error), call_sid: this.callSid }, "a stream could not be claimed");
      this.#refuse("unavailable", closeCodes.unavailable);
    }
  }

  #isClaiming(): boolean {
    return this.#phase === "claiming";
  }

  /**
   * Renews the call's slot. Returns false if its lease expired since the stream was offered and no slot is free; the
   * carrier gets that answer when it asks how to continue.
   */
  async #takeSlot(call: CallState): Promise<boolean> {
    const line = { business_id: call.business_id, max_concurrent: call.max_concurrent };
    try {
      await takeSlot(this.#options.core, { callSid: this.callSid, line, carried: true });
      return true;
    } catch (error) {
      if (!(error instanceof CallRefused)) throw error;
      this.#refuse("full", closeCodes.unavailable);
      return false;
    }
  }

  #begin(call: CallState, streamSid: string, agent: AgentAddress): void {
    const { core } = this.#options;
    this.#saved = new SavedCall(core, call, {
      isLive: () => this.#phase === "live",
      onSuperseded: () => void this.#end("superseded", closeCodes.normal),
    });
    this.#phase = "live";
    this.#conversation = new Conversation({
      metrics: core.metrics,
      socket: this.#socket,
      call,
      streamSid,
      agent,
      agentPatienceMs: this.#options.agentPatienceMs,
      on: {
        invalid: () => this.#countInvalid(),
        stop: () => void this.#end("stopped", closeCodes.normal),
        // Saved at once: a call whose stream breaks now resumes from it.
        state: () => void this.checkpoint(),
        hangup: () => void this.#end("leaving", closeCodes.normal, { exit: "hangup" }),
        transfer: (to) => void this.#transfer(to),
        agentGone: () => {
          core.logger.error({ call_sid: this.callSid }, "the agent is unreachable; the call ends");
          void this.#end("leaving", closeCodes.normal, { exit: "apology" });
        },
      },
    });
    this.#onLive(this);
    core.logger.info({ call_sid: this.callSid, stream: call.stream, business_id: call.business_id }, "stream started");
    for (const frame of this.#early.splice(0)) this.#take(frame);
  }

  /** Transfers the caller, or reports to the agent why not; the conversation continues then. */
  async #transfer(to: string): Promise<void> {
    if (this.#transferring || this.#phase !== "live") return;
    this.#transferring = true;
    const reason = await authorizeTransfer(this.#options.core, this.#saved!.call, to);
    if (reason === null) return this.#end("leaving", closeCodes.normal, { exit: "transfer", transfer_to: to });
    this.#conversation?.transferFailed(to, reason);
    this.#transferring = false;
  }

  #countInvalid(): void {
    this.#options.core.metrics.frameRefused("invalid");
    this.#invalid += 1;
    if (this.#phase !== "live") return this.#refuse("invalid", closeCodes.invalid);
    if (this.#invalid > maxInvalid) void this.#end("broken", closeCodes.invalid);
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

  /** Releases a claimed call whose stream did not begin: the socket closed, or no slot was free. */
  async #release(call: CallState): Promise<void> {
    await this.#options.core.store.changeFrom(call, { step: "broken", stream_sid: null, replica: null });
  }

  async #end(end: Exclude<End, "refused">, code?: number, more: CallChanges = {}): Promise<void> {
    if (this.#phase === "over") return this.#saved?.settled();
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
    this.#conversation?.close(reasons[end]);
    const { core } = this.#options;
    core.metrics.streamEnded(end);
    if (live && end !== "superseded") {
      const steps = { stopped: "stopped", broken: "broken", handover: "broken", leaving: "leaving" } as const;
      // Before the socket closes, because the carrier then asks at once how to continue.
      await this.#save(() => ({
        ...this.#conversation?.progress,
        ...more,
        step: steps[end],
        stream_sid: null,
        replica: null,
      }));
      core.logger.info(
        { call_sid: this.callSid, stream: this.call?.stream, end, position_ms: this.#conversation?.positionMs },
        "stream over",
      );
      await this.#releaseFinishedSlot(end, more);
    }
    if (code !== undefined) this.#socket.close(code, end);
    this.#onOver(this);
  }

  /** Releases the slot if the caller hung up or was transferred. Otherwise the slot waits for the next stream. */
  async #releaseFinishedSlot(end: End, { exit }: CallChanges): Promise<void> {
    if (end === "stopped" || exit === "transfer") await this.#saved?.releaseSlot();
  }

  #save(changes: () => CallChanges): Promise<void> {
    return this.#saved?.save(changes) ?? Promise.resolve();
  }
}
