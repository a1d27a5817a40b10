import { FairSlots } from "./fair_slots.ts";

/**
 * A rate of bytes for work that keeps the event loop busy in proportion to them. Owners take turns, whatever the number
 * of turns that each waits for. A turn begins the work at once and holds up the next turn for as long as the rate has
 * it, so that other work runs in between.
 */
export class RateShare {
  readonly #slot = new FairSlots({ total: 1, share: 1 });
  readonly #bytesPerMs: number;

  constructor(bytesPerS: number) {
    this.#bytesPerMs = bytesPerS / 1_000;
  }

  /** Waits for a turn; false if there was none within `maxWaitMs`. */
  async take(owner: string | undefined, bytes: number, maxWaitMs: number): Promise<boolean> {
    if (!(await this.#slot.acquire(owner, maxWaitMs))) return false;
    setTimeout(() => this.#slot.giveBack(owner), bytes / this.#bytesPerMs);
    return true;
  }
}
