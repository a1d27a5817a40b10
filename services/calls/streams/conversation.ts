import type { ServerWebSocket } from "bun";
import type { FromAgent, StopReason, TransferFailure } from "../agent/protocol.ts";
import { bytesPerSecond, protocolVersion } from "../agent/protocol.ts";
import { continueTrace } from "../../../lib/tracing/index.ts";
import type { Span } from "../../../lib/tracing/index.ts";
import type { Core } from "../flow/core.ts";
import type { CallChanges, CallState } from "../state/call.ts";
import type { CarrierFrame, MediaFrame } from "../twilio/frames.ts";
import { AgentLink } from "./agent_link.ts";
import type { AgentAddress } from "./agent_link.ts";
import { Playout } from "./playout.ts";

export type ConversationOptions = {
  metrics: Core["metrics"];
  socket: ServerWebSocket<unknown>;
  call: CallState;
  streamSid: string;
  agent: AgentAddress;
  agentPatienceMs: number | undefined;
  on: {
    /** The carrier sent a frame that is invalid in a live stream. */
    invalid(): void;
    /** The caller hung up. */
    stop(): void;
    /** The agent changed its state. */
    state(): void;
    hangup(): void;
    transfer(to: string): void;
    agentGone(): void;
  };
};

/** Relays audio, keys and marks between the carrier and the agent of a live stream. */
export class Conversation {
  readonly #options: ConversationOptions;
  readonly #agent: AgentLink;
  readonly #playout: Playout;
  /** Of the stream, if the call is sampled. The agent gets it as `traceparent`. */
  readonly #span: Span | undefined;
  #agentState: string | null;
  /** Bytes of audio received in this stream. */
  #bytes = 0;
  #lastChunk = -1;

  constructor(options: ConversationOptions) {
    const { metrics, socket, call, streamSid, agent, agentPatienceMs, on } = options;
    this.#options = options;
    this.#agentState = call.agent_state;
    const attributes = { "prosaas.business_id": call.business_id, "prosaas.call_sid": call.call_sid };
    this.#span = continueTrace(call.trace, "media stream", { attributes });
    let connections = 0;
    this.#playout = new Playout(socket, streamSid, (droppedMs) => {
      metrics.frameRefused("carrier_slow");
      this.#agent.send({ type: "overrun", dropped_ms: droppedMs });
    });
    this.#agent = new AgentLink({
      agent,
      patienceMs: agentPatienceMs,
      traceparent: this.#span?.traceparent,
      start: () => ({
        type: "start",
        version: protocolVersion,
        call_sid: call.call_sid,
        business_id: call.business_id,
        direction: call.direction,
        from: call.from,
        to: call.to,
        resumed: call.stream > 1 || connections++ > 0,
        position_ms: this.positionMs,
        state: this.#agentState,
      }),
      onAudio: (audio) => this.#playout.audio(audio),
      onMessage: (message) => this.#handle(message),
      onDropped: (reason) => metrics.frameRefused(reason),
      onGone: () => on.agentGone(),
    });
  }

  /** Audio received in the call, earlier streams included. */
  get positionMs(): number {
    return this.#options.call.position_ms + Math.round((this.#bytes * 1000) / bytesPerSecond);
  }

  get progress(): CallChanges {
    // A stream that breaks at once carries less than a second of audio.
    const fruitful = this.#bytes >= bytesPerSecond;
    return { position_ms: this.positionMs, agent_state: this.#agentState, ...(fruitful ? { fruitless: 0 } : {}) };
  }

  relay(frame: CarrierFrame): void {
    const { on, streamSid } = this.#options;
    if (frame.event === "connected" || frame.event === "start" || frame.streamSid !== streamSid) return on.invalid();
    switch (frame.event) {
      case "media":
        return this.#relayMedia(frame);
      case "dtmf":
        return this.#agent.send({ type: "dtmf", digit: frame.dtmf.digit });
      case "mark":
        return this.#agent.send({ type: "mark", name: frame.mark.name });
      case "stop":
        return on.stop();
    }
  }

  drained(): void {
    this.#playout.drained();
  }

  transferFailed(to: string, reason: TransferFailure): void {
    this.#agent.send({ type: "transfer_failed", to, reason });
  }

  close(reason: StopReason): void {
    this.#agent.close(reason);
    this.#span?.set({ "prosaas.end": reason });
    this.#span?.end();
  }

  #relayMedia({ media }: MediaFrame): void {
    // A repeated chunk would be heard twice.
    if (media.chunk <= this.#lastChunk) return this.#options.metrics.frameRefused("repeated");
    this.#lastChunk = media.chunk;
    const audio = Buffer.from(media.payload, "base64");
    this.#bytes += audio.length;
    this.#agent.sendAudio(audio);
  }

  #handle(message: FromAgent): void {
    const { on } = this.#options;
    switch (message.type) {
      case "mark":
        return this.#playout.mark(message.name);
      case "clear":
        return this.#playout.clear();
      case "state":
        this.#agentState = message.state;
        return on.state();
      case "hangup":
        return on.hangup();
      case "transfer":
        return on.transfer(message.to);
    }
  }
}
