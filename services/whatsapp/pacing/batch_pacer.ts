import type { PacingLimits } from "../../../lib/contracts/shard/pacing.ts";
import type { Pacer } from "./pacer.ts";
import type { Candidate, PacingDelay } from "./policy.ts";

/**
 * Paces the messages of one batch. A message that waits also holds the messages behind it in its chat. A delay of the
 * whole account holds every later message of the batch, but a broadcast message holds only other broadcast messages.
 * New chats that must wait get staggered times, so that they are not all retried at once.
 */
export class BatchPacer {
  readonly #pacer: Pacer;
  readonly #limits: PacingLimits;
  readonly #chats = new Map<string, PacingDelay>();
  #accountDelay: PacingDelay | undefined;
  #accountBulkDelay: PacingDelay | undefined;
  #newChats = 0;
  /** Chats that an earlier message of this batch starts: later ones are no first contact. */
  readonly #started = new Set<string>();

  constructor(pacer: Pacer, limits: PacingLimits) {
    this.#pacer = pacer;
    this.#limits = limits;
  }

  /** Returns undefined if the message may be sent now. */
  admit(chat: string, message: Pick<Candidate, "firstContact" | "bulk">): PacingDelay | undefined {
    const firstContact = message.firstContact && !this.#started.has(chat);
    const inherited =
      this.#chats.get(chat) ?? this.#accountDelay ?? (message.bulk ? this.#accountBulkDelay : undefined);
    const delay = inherited ?? this.#admit({ ...message, firstContact });
    if (delay !== undefined) this.#chats.set(chat, delay);
    else if (firstContact) this.#started.add(chat);
    return delay;
  }

  #admit(message: Pick<Candidate, "firstContact" | "bulk">): PacingDelay | undefined {
    const delay = this.#pacer.admit(this.#limits, message);
    if (delay === undefined) return undefined;
    if (delay.holds === "first_contacts") {
      return { ...delay, notBefore: delay.notBefore + this.#newChats++ * this.#limits.first_contact_gap_s * 1000 };
    }
    if (message.bulk) this.#accountBulkDelay = delay;
    else this.#accountDelay = delay;
    return delay;
  }
}
