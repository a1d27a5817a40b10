export type DeafnessTimes = {
  /** Milliseconds without a word before a probe is sent. It may come a fifth earlier or later, so that sessions do not probe in step. */
  idleMs: number;
  /** Milliseconds that an answer may take. */
  answerMs: number;
};

/** A probe is a message, and WhatsApp counts those: six an hour at most, and none on a session with traffic. */
export const defaultDeafnessTimes: DeafnessTimes = { idleMs: 600_000, answerMs: 20_000 };

export type DeafnessOptions = DeafnessTimes & {
  /** Sends what a healthy connection answers with more than a pong. */
  probe: () => Promise<unknown>;
  /** Nothing came. `heard`: whether anything ever did on this connection. */
  onDeaf: (heard: boolean) => void;
};

/**
 * Finds out whether a connection still hears. One that looks open and answers pings may deliver nothing for hours;
 * what proves the opposite is traffic, and where there is none, the answer to a probe.
 */
export class DeafnessDetector {
  readonly #options: DeafnessOptions;
  #lastHeardAt = 0;
  #startedAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: DeafnessOptions) {
    this.#options = options;
  }

  start(): void {
    this.#startedAt = performance.now();
    this.#lastHeardAt = this.#startedAt;
    this.#listenFor(this.#idleMs());
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Something came that only a connection that hears gets. */
  heard(): void {
    this.#lastHeardAt = performance.now();
  }

  #idleMs(): number {
    return this.#options.idleMs * (0.8 + 0.4 * Math.random());
  }

  #listenFor(idleMs: number): void {
    const left = this.#lastHeardAt + idleMs - performance.now();
    if (left <= 0) this.#probe();
    else this.#timer = setTimeout(() => this.#listenFor(idleMs), left);
  }

  #probe(): void {
    const { probe, answerMs, onDeaf } = this.#options;
    const askedAt = performance.now();
    // Whether it could be sent does not matter: what counts is whether anything comes.
    probe().catch(() => {});
    this.#timer = setTimeout(() => {
      if (this.#lastHeardAt >= askedAt) this.#listenFor(this.#idleMs());
      else onDeaf(this.#lastHeardAt > this.#startedAt);
    }, answerMs);
  }
}
