import type { PacingLimits } from "../../../lib/shard-client/pacing.ts";
import type { Paced, Pacer } from "./pacer.ts";

/**
 * The messages of one batch before the pacer. What holds everything holds what comes behind; what holds a chat holds
 * the rest of it. New chats that have to wait are given times one behind the other, so that they do not all come
 * again at once.
 */
export class PacedTurn {
  readonly #pacer: Pacer;
  readonly #limits: PacingLimits;
  readonly #chats = new Map<string, Paced>();
  #everything: Paced | undefined;

  constructor(pacer: Pacer, limits: PacingLimits) {
    this.#pacer = pacer;
    this.#limits = limits;
  }

  /** Undefined: the message may go. */
  admit(chat: string, firstContact: boolean): Paced | undefined {
    const held = this.#everything ?? this.#chats.get(chat);
    if (held !== undefined) return held;
    const paced = this.#pacer.admit(this.#limits, firstContact);
    if (paced === undefined) return undefined;
    if (paced.holds === "everything") {
      this.#everything = paced;
      return paced;
    }
    const inTurn = { ...paced, notBefore: paced.notBefore + this.#chats.size * this.#limits.first_contact_gap_s * 1000 };
    this.#chats.set(chat, inTurn);
    return inTurn;
  }
}
