type Send = (data: Uint8Array, callback?: (error?: Error) => void) => void;

/** Data that is being written to the disk. */
type Barrier = { durable: boolean };
type Waiting = { passed: () => void };

/**
 * Holds back what a connection sends while earlier data, a received message or an advanced ratchet, is still being
 * written to the disk (output commit). WhatsApp forgets what was acknowledged; with the gate, no acknowledgement leaves
 * before the journal has the data. Frames keep their order, as Noise's counters require, and a frame never waits for
 * data that came after it.
 */
export class OutputGate {
  readonly #send: Send;
  readonly #onRefused: (error: unknown) => void;
  /** Frames, and the barriers that later frames must wait for. */
  #queue: (Uint8Array | Barrier | Waiting)[] = [];
  #broken = false;

  /** `onRefused` is called when data could not be made durable: the connection must be dropped. */
  constructor(send: Send, onRefused: (error: unknown) => void) {
    this.#send = send;
    this.#onRefused = onRefused;
  }

  /** Frames sent after this call leave only once `durable` resolves; if it rejects, never. */
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

  /** Resolves when the frames sent before this call have left, or never will. */
  async passed(): Promise<void> {
    if (this.#queue.length > 0) await new Promise<void>((passed) => this.#queue.push({ passed }));
  }

  send(data: Uint8Array, callback?: (error?: Error) => void): void {
    if (this.#broken)
      return callback?.(new Error("the connection was dropped: received data could not be made durable"));
    if (this.#queue.length === 0) return this.#send(data, callback);
    this.#queue.push(data);
    // To the sender, a held frame is like one in the kernel's buffer: sent, and lost if the connection dies.
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
