import { jsonOrUndefined } from "../../../lib/core/json.ts";
import { backoff } from "../../../lib/core/retry.ts";
import { bytesPerSecond, fromAgent } from "../agent/protocol.ts";
import type { AgentStart, FromAgent, StopReason, ToAgent } from "../agent/protocol.ts";

export type AgentAddress = { url: string; token?: string | undefined };

export type AgentLinkOptions = {
  agent: AgentAddress;
  /** W3C trace context for the agent, if the call is sampled. */
  traceparent?: string | undefined;
  /** The first message of each connection. */
  start: () => AgentStart;
  onAudio: (audio: Buffer) => void;
  onMessage: (message: FromAgent) => void;
  /** A message or audio was dropped. */
  onDropped: (reason: "agent_slow" | "agent_away" | "agent_invalid") => void;
  /** The agent was unreachable for `patienceMs`. Called once. */
  onGone: () => void;
  /** How long the caller hears silence before the call ends. */
  patienceMs?: number | undefined;
};

/** Audio buffered for an agent, in the socket or before it opens: older speech is useless. */
const backlogBytes = 2 * bytesPerSecond;
/** Keys buffered for an unreachable agent: more than a caller presses within `patienceMs`. */
const maxWaitingKeys = 64;

/**
 * A call's connection to its agent. Reconnects when it breaks and sends the call's state again. Until then it buffers
 * the caller's last two seconds of audio, and the keys.
 */
export class AgentLink {
  readonly #options: AgentLinkOptions;
  readonly #patienceMs: number;
  #socket: Bun.WebSocket | null = null;
  #open = false;
  #closed = false;
  #attempts = 0;
  #unreachableSince = performance.now();
  #retry: Timer | undefined;
  #waiting: (Buffer | ToAgent)[] = [];
  #waitingBytes = 0;
  #waitingKeys = 0;

  constructor(options: AgentLinkOptions) {
    this.#options = options;
    this.#patienceMs = options.patienceMs ?? 10_000;
    this.#connect();
  }

  sendAudio(audio: Buffer): void {
    if (!this.#open) return this.#keep(audio);
    if (this.#socket!.bufferedAmount > backlogBytes) return this.#options.onDropped("agent_slow");
    this.#socket!.send(audio);
  }

  send(message: ToAgent): void {
    if (this.#open) {
      if (this.#socket!.bufferedAmount > 2 * backlogBytes) return this.#options.onDropped("agent_slow");
      this.#socket!.send(JSON.stringify(message));
    }
    // Marks belong to the lost connection; keys belong to the caller and are buffered.
    else if (message.type === "dtmf") this.#keepKey(message);
  }

  /** Sends the agent the reason, then closes. */
  close(reason: StopReason): void {
    if (this.#closed) return;
    this.send({ type: "stop", reason });
    this.#closed = true;
    this.#open = false;
    clearTimeout(this.#retry);
    this.#socket?.close(1000, reason);
    this.#waiting = [];
  }

  #connect(): void {
    const { agent, traceparent } = this.#options;
    const headers = {
      ...(agent.token === undefined ? {} : { authorization: `Bearer ${agent.token}` }),
      ...(traceparent === undefined ? {} : { traceparent }),
    };
    // Bun's constructor takes headers; the DOM's types, which apply here, do not.
    const socket = new WebSocket(agent.url, { headers } as unknown as string[]) as unknown as Bun.WebSocket;
    socket.binaryType = "nodebuffer";
    this.#socket = socket;
    // A hanging connection attempt counts as failed.
    const hung = setTimeout(() => socket.terminate(), Math.min(3000, this.#patienceMs));
    socket.addEventListener("open", () => {
      clearTimeout(hung);
      if (this.#closed) return socket.close(1000);
      this.#open = true;
      this.#attempts = 0;
      this.send(this.#options.start());
      for (const item of this.#waiting.splice(0)) socket.send(Buffer.isBuffer(item) ? item : JSON.stringify(item));
      this.#waitingBytes = 0;
      this.#waitingKeys = 0;
    });
    socket.addEventListener("message", (event: MessageEvent<string | Buffer>) => this.#receive(event.data));
    socket.addEventListener("error", () => {});
    socket.addEventListener("close", () => {
      clearTimeout(hung);
      this.#lost();
    });
  }

  #receive(data: string | Buffer): void {
    if (this.#closed) return;
    if (typeof data !== "string") return this.#options.onAudio(data);
    const message = parse(data);
    if (message === null) return this.#options.onDropped("agent_invalid");
    this.#options.onMessage(message);
  }

  #lost(): void {
    if (this.#open) this.#unreachableSince = performance.now();
    this.#open = false;
    if (this.#closed) return;
    if (performance.now() - this.#unreachableSince > this.#patienceMs) {
      this.#closed = true;
      return this.#options.onGone();
    }
    this.#attempts += 1;
    this.#retry = setTimeout(() => this.#connect(), backoff({ attempt: this.#attempts, baseMs: 50, maxMs: 1000 }));
  }

  #keep(audio: Buffer): void {
    if (this.#closed) return;
    this.#waiting.push(audio);
    this.#waitingBytes += audio.length;
    while (this.#waitingBytes > backlogBytes) {
      const [dropped] = this.#waiting.splice(this.#waiting.findIndex(Buffer.isBuffer), 1) as [Buffer];
      this.#waitingBytes -= dropped.length;
      this.#options.onDropped("agent_away");
    }
  }

  #keepKey(key: ToAgent): void {
    if (this.#closed) return;
    if (this.#waitingKeys >= maxWaitingKeys) return this.#options.onDropped("agent_away");
    this.#waitingKeys += 1;
    this.#waiting.push(key);
  }
}

function parse(text: string): FromAgent | null {
  return fromAgent.safeParse(jsonOrUndefined(text)).data ?? null;
}
