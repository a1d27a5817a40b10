/** Consecutive messages that cannot be decrypted, and the number of different senders among them. */
const failuresToRebuild = 20;
const sendersToRebuild = 3;
/** Messages among them that the business's own devices sent. */
const ownToRebuild = 2;
/** Minimum time between two rebuilds of the session; doubles with each. */
const firstPauseMs = 10 * 60_000;
const longestPauseMs = 6 * 3_600_000;

/** The sender of a message that could not be decrypted. */
export type GarbleSender = {
  sender: string;
  /** True if earlier messages of this sender were decrypted. */
  acquainted: boolean;
  /** True for another device of the business's own account. WhatsApp's server vouches for that. */
  isOwn: boolean;
};

/**
 * Decides whether undecryptable messages mean that the session itself is broken. Anyone can send bytes that do not
 * decrypt, and contacts can act together. So only acquainted senders count, only several of them together, and only
 * while messages of the business's own devices fail too.
 */
export class GarbleWatch {
  readonly #now: () => number;
  #failures = 0;
  #own = 0;
  readonly #senders = new Set<string>();
  #notBefore = 0;
  #pauseMs = firstPauseMs;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** A message was decrypted: the session works. */
  decrypted(): void {
    this.#failures = 0;
    this.#own = 0;
    this.#senders.clear();
  }

  /** A message could not be decrypted. Returns true if the session is to be rebuilt. */
  failed({ sender, acquainted, isOwn }: GarbleSender): boolean {
    if (!acquainted) return false;
    this.#failures += 1;
    if (isOwn) this.#own += 1;
    if (this.#senders.size < sendersToRebuild) this.#senders.add(sender);
    if (this.#failures < failuresToRebuild || this.#senders.size < sendersToRebuild || this.#own < ownToRebuild)
      return false;
    if (this.#now() < this.#notBefore) return false;
    this.decrypted();
    this.#notBefore = this.#now() + this.#pauseMs;
    this.#pauseMs = Math.min(longestPauseMs, this.#pauseMs * 2);
    return true;
  }
}
