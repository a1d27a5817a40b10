type Send = (data: Uint8Array, callback?: (error?: Error) => void) => void;

/** Something on its way to the disk. */
type Barrier = { durable: boolean };
type Waiting = { passed: () => void };

/**
 * Holds back what a connection sends while something that came before it, a received message or a turned ratchet, is
 * still on its way to the disk (output commit). WhatsApp forgets what was acknowledged; with the gate, no
 * acknowledgement leaves before the journal has what it acknowledges. The order of frames stays, as Noise's counters
 * demand, and a frame waits for nothing that came after it.
 */
export class OutputGate {
  readonly #send: Send;
  readonly #onRefused: (error: unknown) => void;
  /** Frames, and what those behind it must wait for. */
  #queue: (Uint8Array | Barrier | Waiting)[] = [];
  #broken = false;

  /** `onRefused` is called when something could not be made durable: the connection must be dropped. */
  constructor(send: Send, onRefused: (error: unknown) => void) {
    this.#send = send;
    this.#onRefused = onRefused;
  }

  /** What is sent after this call leaves only when `durable` has resolved; when it rejects, never. */
  after(durable: Promise<void>): void {
    const barrier: Barrier = { durable: false };
    this.#queue.push(barrier);
    durable.then(
      () => {
        barrier.durable = true;
        if (this.#queue[0] === barrier) this.#advance();
      },
      (error: unknown) => this.#refuse(error),
    );
  }

  /** Resolves when what was sent before this call has left, or never will. */
  async passed(): Promise<void> {
    if (this.#queue.length > 0) await new Promise<void>((passed) => this.#queue.push({ passed }));
  }

  send(data: Uint8Array, callback?: (error?: Error) => void): void {
    if (this.#broken)
      return callback?.(new Error("the connection was dropped: what arrived could not be written down"));
    if (this.#queue.length === 0) return this.#send(data, callback);
    this.#queue.push(data);
    // To the sender a held frame is what a frame in the kernel's buffer is: sent, and lost if the connection dies.
    if (callback) queueMicrotask(callback);
  }

  #advance(): void {
    let at = 0;
    for (; at < this.#queue.length; at++) {
      const item = this.#queue[at]!;
      if (item instanceof Uint8Array) this.#send(item);
      else if ("passed" in item) item.passed();
      else if (!item.durable) break;
    }
    this.#queue = this.#queue.slice(at);
  }

  #refuse(error: unknown): void {
    if (this.#broken) return;
    this.#broken = true;
    const queue = this.#queue;
    this.#queue = [];
    this.#onRefused(error);
    for (const item of queue) if ("passed" in item) item.passed();
  }
}
