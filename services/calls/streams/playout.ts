import type { ServerWebSocket } from "bun";
import { bytesPerSecond } from "../agent/protocol.ts";
import { clearFrame, markFrame, mediaFrame } from "../twilio/frames.ts";

/** Bytes that may wait inside the socket before we hold back what follows: about six seconds of frames. */
const socketBacklog = 64 * 1024;
/** Audio that may wait behind a carrier that takes none, ms: longer than any sentence. */
const heldBackMs = 60_000;

/**
 * What goes to the caller, in the order the agent sent it. The carrier buffers and plays at its own pace, so frames
 * are passed on at once; where its connection is congested they wait here, up to a minute of them.
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

  /** The caller speaks: nothing of what was sent is to be heard any more. Marks that wait here are passed on, as played. */
  clear(): void {
    this.#held = this.#held.filter(({ ms }) => ms === 0);
    this.#heldMs = 0;
    this.#socket.send(clearFrame(this.#streamSid));
    this.drained();
  }

  /** The socket takes more. */
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
