import type { PacingLimits } from "../../../lib/contracts/shard/pacing.ts";
import type { Paced, Pacer } from "./pacer.ts";
import type { Occasion } from "./policy.ts";

/**
 * The messages of one batch before the pacer. What waits holds the rest of its chat. What holds everything holds what
 * comes behind, but a message of a broadcast holds only those of its kind. New chats that have to wait are given times
 * one behind the other, so that they do not all come again at once.
 */
export class PacedTurn {
  readonly #pacer: Pacer;
  readonly #limits: PacingLimits;
  readonly #chats = new Map<string, Paced>();
  #everything: Paced | undefined;
  #everythingBulk: Paced | undefined;
  #newChats = 0;
  /** What a message of this batch begins, those behind it do not begin again. */
  readonly #begun = new Set<string>();

  constructor(pacer: Pacer, limits: PacingLimits) {
    this.#pacer = pacer;
    this.#limits = limits;
  }

  /** Undefined: the message may go. */
  admit(chat: string, message: Pick<Occasion, "firstContact" | "bulk">): Paced | undefined {
    const firstContact = message.firstContact && !this.#begun.has(chat);
    const held = this.#chats.get(chat) ?? this.#everything ?? (message.bulk ? this.#everythingBulk : undefined);
    const paced = held ?? this.#ask({ ...message, firstContact });
    if (paced !== undefined) this.#chats.set(chat, paced);
    else if (firstContact) this.#begun.add(chat);
    return paced;
  }

  #ask(message: Pick<Occasion, "firstContact" | "bulk">): Paced | undefined {
    const paced = this.#pacer.admit(this.#limits, message);
    if (paced === undefined) return undefined;
    if (paced.holds === "first_contacts") {
      return { ...paced, notBefore: paced.notBefore + this.#newChats++ * this.#limits.first_contact_gap_s * 1000 };
    }
    if (message.bulk) this.#everythingBulk = paced;
    else this.#everything = paced;
    return paced;
  }
}
