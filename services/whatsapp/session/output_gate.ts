type Send = (data: Uint8Array, callback?: (error?: Error) => void) => void;

/**
 * Holds back what a connection sends while something that was received is still on its way to the disk (output
 * commit). WhatsApp forgets what was acknowledged; with the gate, no acknowledgement leaves before the journal
 * has what it acknowledges. The order of frames stays, as Noise's counters demand.
 */
export class OutputGate {
  readonly #send: Send;
  readonly #onRefused: (error: unknown) => void;
  /** What is on its way to the disk. */
  #undurable = 0;
  #held: Uint8Array[] = [];
  #waiters: (() => void)[] = [];
  #broken = false;

  /** `onRefused` is called when something could not be made durable: the connection must be dropped. */
  constructor(send: Send, onRefused: (error: unknown) => void) {
    this.#send = send;
    this.#onRefused = onRefused;
  }

  /** What is sent after this call leaves only when `durable` has resolved; when it rejects, never. */
  after(durable: Promise<void>): void {
    this.#undurable += 1;
    durable.then(
      () => {
        this.#undurable -= 1;
        if (this.#undurable === 0) this.#open();
      },
      (error: unknown) => this.#refuse(error),
    );
  }

  /** Resolves when nothing is held back, or never will leave. */
  async opened(): Promise<void> {
    if (this.#undurable > 0 && !this.#broken) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  send(data: Uint8Array, callback?: (error?: Error) => void): void {
    if (this.#broken) return callback?.(new Error("the connection was dropped: what arrived could not be written down"));
    if (this.#undurable === 0) return this.#send(data, callback);
    this.#held.push(data);
    // To the sender a held frame is what a frame in the kernel's buffer is: sent, and lost if the connection dies.
    if (callback) queueMicrotask(callback);
  }

  #open(): void {
    const held = this.#held;
    this.#held = [];
    if (!this.#broken) for (const data of held) this.#send(data);
    this.#release();
  }

  #refuse(error: unknown): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#held = [];
    this.#onRefused(error);
    this.#release();
  }

  #release(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}
