/** Consecutive messages that cannot be decrypted, and the number of different senders among them. */
const failuresToRebuild = 20;
const sendersToRebuild = 3;
/** Minimum time between two rebuilds of the session; doubles with each. */
const firstPauseMs = 10 * 60_000;
const longestPauseMs = 6 * 3_600_000;

/**
 * Decides whether undecryptable messages mean that the session itself is broken. Anyone can send bytes that do not
 * decrypt, so only senders whose earlier messages were decrypted count, and only several of them together.
 */
export class GarbleWatch {
  readonly #now: () => number;
  #failures = 0;
  readonly #senders = new Set<string>();
  #notBefore = 0;
  #pauseMs = firstPauseMs;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** A message was decrypted: the session works. */
  decrypted(): void {
    this.#failures = 0;
    this.#senders.clear();
  }

  /** A message of a sender with a Signal session could not be decrypted. Returns whether to rebuild the session. */
  failed(sender: string): boolean {
    this.#failures += 1;
    if (this.#senders.size < sendersToRebuild) this.#senders.add(sender);
    if (this.#failures < failuresToRebuild || this.#senders.size < sendersToRebuild || this.#now() < this.#notBefore)
      return false;
    this.decrypted();
    this.#notBefore = this.#now() + this.#pauseMs;
    this.#pauseMs = Math.min(longestPauseMs, this.#pauseMs * 2);
    return true;
  }
}
