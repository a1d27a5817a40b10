import { PatientTimer } from "../../../lib/runtime/patient_timer.ts";

export type DeafnessTimes = {
  /**
   * Milliseconds without a delivery before a probe is sent. Varied by a fifth either way, so that sessions do not probe
   * in step.
   */
  idleMs: number;
  /** Milliseconds until the probe must be answered. */
  answerMs: number;
};

/** WhatsApp counts probes as messages: at most six an hour, and none on a session with traffic. */
export const defaultDeafnessTimes: DeafnessTimes = { idleMs: 600_000, answerMs: 20_000 };

export type DeafnessOptions = DeafnessTimes & {
  /** Sends a message whose acknowledgement only a healthy connection receives. */
  probe: () => Promise<unknown>;
  /** Nothing was delivered. `heard`: whether anything was, earlier on this connection. */
  onDeaf: (heard: boolean) => void;
};

/**
 * Detects a connection that is open and deaf: it answers pings and delivers nothing, for hours. Traffic proves the
 * opposite; without traffic, the answer to a probe does.
 */
export class DeafnessDetector {
  readonly #options: DeafnessOptions;
  #lastHeardAt = 0;
  #startedAt = 0;
  #timer: PatientTimer | undefined;

  constructor(options: DeafnessOptions) {
    this.#options = options;
  }

  start(): void {
    this.#startedAt = performance.now();
    this.#lastHeardAt = this.#startedAt;
    this.#listenFor(this.#idleMs());
  }

  stop(): void {
    this.#timer?.stop();
  }

  /** Something was delivered that only a healthy connection receives. */
  heard(): void {
    this.#lastHeardAt = performance.now();
  }

  #idleMs(): number {
    return this.#options.idleMs * (0.8 + 0.4 * Math.random());
  }

  #listenFor(idleMs: number): void {
    const left = this.#lastHeardAt + idleMs - performance.now();
    if (left <= 0) this.#probe();
    else this.#timer = new PatientTimer(left, () => this.#listenFor(idleMs));
  }

  #probe(): void {
    const { probe, answerMs, onDeaf } = this.#options;
    const askedAt = performance.now();
    // A probe that could not be sent makes no difference: only a delivery counts.
    probe().catch(() => {});
    this.#timer = new PatientTimer(answerMs, () => {
      if (this.#lastHeardAt >= askedAt) this.#listenFor(this.#idleMs());
      else onDeaf(this.#lastHeardAt > this.#startedAt);
    });
  }
}
