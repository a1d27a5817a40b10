type Send = (data: Uint8Array, callback?: (error?: Error) => void) => void;

/**
 * Holds back what a connection sends while something that was received is still on its way to the disk (output
 * commit). WhatsApp forgets what was acknowledged; with the gate, no acknowledgement leaves before the journal
 * has what it acknowledges. The order of frames stays, as Noise's counters demand.
 */
export class OutputGate {
  readonly #send: Send;
  readonly #onRefused: (error: unknown) => void;
  #barrier: Promise<void> | undefined;
  #held: Uint8Array[] = [];
  #broken = false;

  /** `onRefused` is called when something could not be made durable: the connection must be dropped. */
  constructor(send: Send, onRefused: (error: unknown) => void) {
    this.#send = send;
    this.#onRefused = onRefused;
  }

  /** What is sent after this call leaves only when `durable` has resolved; when it rejects, never. */
  after(durable: Promise<void>): void {
    const barrier = (this.#barrier === undefined ? durable : Promise.all([this.#barrier, durable]).then(() => {})).then(
      () => {
        if (this.#barrier === barrier) this.#open();
      },
      (error: unknown) => this.#refuse(error),
    );
    this.#barrier = barrier;
  }

  /** Resolves when nothing is held back, or never will leave. */
  async opened(): Promise<void> {
    while (this.#barrier !== undefined && !this.#broken) await this.#barrier;
  }

  send(data: Uint8Array, callback?: (error?: Error) => void): void {
    if (this.#broken) return callback?.(new Error("the connection was dropped: what arrived could not be written down"));
    if (this.#barrier === undefined) return this.#send(data, callback);
    this.#held.push(data);
    // To the sender a held frame is what a frame in the kernel's buffer is: sent, and lost if the connection dies.
    if (callback) queueMicrotask(callback);
  }

  #open(): void {
    this.#barrier = undefined;
    const held = this.#held;
    this.#held = [];
    for (const data of held) this.#send(data);
  }

  #refuse(error: unknown): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#held = [];
    this.#onRefused(error);
  }
}
