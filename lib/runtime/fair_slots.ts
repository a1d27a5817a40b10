import { Slots } from "./slots.ts";
import type { SlotLimits } from "./slots.ts";

type Owner = string | undefined;
type Waiter = { grant: () => void };

/** Above the requests that one business may have at work in a replica, each of which waits for one slot at a time. */
const defaultMaxWaiters = 1_000;

/**
 * Slots for which owners wait. An owner holds at most its share, and those that wait take turns, whatever the number of
 * waiters of each. An undefined owner, which acts for all others, has no share, any number of waiters and every second
 * turn.
 */
export class FairSlots {
  readonly #slots: Slots;
  /** Waiters by owner; the first owner is next. None of them could be granted a slot now. */
  readonly #waiting = new Map<Owner, Waiter[]>();
  readonly #maxWaiters: number;
  /** True if the undefined owner has the next turn, should it wait then. */
  #isUndefinedNext = true;

  /** One owner has at most `maxWaiters`. */
  constructor(limits: SlotLimits, maxWaiters = defaultMaxWaiters) {
    this.#slots = new Slots(limits);
    this.#maxWaiters = maxWaiters;
  }

  /** Takes a slot at once; false if none is free for this owner. Give each slot back once. */
  take(owner: Owner): boolean {
    return this.#slots.take(owner) === null;
  }

  /**
   * Waits for a slot; false if there was none within `maxWaitMs`, and at once if the owner has too many waiters. Give
   * each slot back once.
   */
  acquire(owner: Owner, maxWaitMs: number): Promise<boolean> {
    if (this.take(owner)) return Promise.resolve(true);
    if (owner !== undefined && (this.#waiting.get(owner)?.length ?? 0) >= this.#maxWaiters)
      return Promise.resolve(false);
    return new Promise((resolve) => {
      const waiter: Waiter = {
        grant: () => {
          clearTimeout(timer);
          resolve(true);
        },
      };
      const timer = setTimeout(() => {
        this.#remove(owner, waiter);
        resolve(false);
      }, maxWaitMs);
      const others = this.#waiting.get(owner);
      if (others === undefined) this.#waiting.set(owner, [waiter]);
      else others.push(waiter);
    });
  }

  giveBack(owner: Owner): void {
    this.#slots.giveBack(owner);
    if (this.#isUndefinedNext && this.#grant(undefined)) return;
    for (const next of this.#waiting.keys()) if (next !== undefined && this.#grant(next)) return;
    this.#grant(undefined);
  }

  /** Grants a slot to the first waiter of an owner; false if it has none, or may take none now. */
  #grant(owner: Owner): boolean {
    const waiters = this.#waiting.get(owner);
    if (waiters === undefined || !this.take(owner)) return false;
    // Back to the end of the line: the other owners come first.
    this.#waiting.delete(owner);
    const first = waiters.shift();
    if (waiters.length > 0) this.#waiting.set(owner, waiters);
    this.#isUndefinedNext = owner !== undefined;
    first?.grant();
    return true;
  }

  #remove(owner: Owner, waiter: Waiter): void {
    const others = (this.#waiting.get(owner) ?? []).filter((one) => one !== waiter);
    if (others.length === 0) this.#waiting.delete(owner);
    else this.#waiting.set(owner, others);
  }
}
