import type { ServerWebSocket } from "bun";
import { bytesPerSecond } from "../agent/protocol.ts";
import { clearFrame, markFrame, mediaFrame } from "../twilio/frames.ts";

/** Bytes buffered in the socket before further frames are held back: about six seconds. */
const socketBacklog = 64 * 1024;
/** Audio held back for a stalled carrier, ms: longer than any sentence. */
const heldBackMs = 60_000;

/**
 * Sends audio and marks to the caller in the agent's order. The carrier buffers and plays them, so frames are passed on
 * at once; while its connection is congested, up to a minute of them waits here.
 */
export class Playout {
  readonly #socket: Pick<ServerWebSocket<unknown>, "send" | "getBufferedAmount">;
  readonly #streamSid: string;
  readonly #onOverrun: (droppedMs: number) => void;
  #held: { frame: string; ms: number }[] = [];
  #heldMs = 0;

  constructor(
    socket: Pick<ServerWebSocket<unknown>, "send" | "getBufferedAmount">,
    streamSid: string,
    onOverrun: (droppedMs: number) => void,
  ) {
    this.#socket = socket;
    this.#streamSid = streamSid;
    this.#onOverrun = onOverrun;
  }

  audio(audio: Buffer): void {
    if (audio.length === 0) return;
    const ms = (audio.length * 1000) / bytesPerSecond;
    if (this.#heldMs + ms > heldBackMs) return this.#onOverrun(ms);
    this.#pass(mediaFrame(this.#streamSid, audio), ms);
  }

  mark(name: string): void {
    this.#pass(markFrame(this.#streamSid, name), 0);
  }

  /** Drops the audio that the caller has not heard yet. Waiting marks are passed on as if played. */
  clear(): void {
    this.#held = this.#held.filter(({ ms }) => ms === 0);
    this.#heldMs = 0;
    this.#socket.send(clearFrame(this.#streamSid));
    this.drained();
  }

  /** Sends held frames while the socket accepts them. */
  drained(): void {
    while (this.#held.length > 0 && this.#socket.getBufferedAmount() < socketBacklog) {
      const { frame, ms } = this.#held.shift()!;
      this.#heldMs -= ms;
      this.#socket.send(frame);
    }
  }

  #pass(frame: string, ms: number): void {
    if (this.#held.length === 0 && this.#socket.getBufferedAmount() < socketBacklog) {
      this.#socket.send(frame);
      return;
    }
    this.#held.push({ frame, ms });
    this.#heldMs += ms;
  }
}
