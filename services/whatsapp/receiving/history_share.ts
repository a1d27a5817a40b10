import { setTimeout as sleep } from "node:timers/promises";
import { FairSlots } from "../../../lib/runtime/fair_slots.ts";

/** Inflated bytes that all histories of a shard read in a second: about a quarter of a core. */
const defaultBytesPerS = 32 * 1024 * 1024;
/** Longest wait for a turn; 200 businesses that read at once wait for half a second. */
const maxWaitMs = 60_000;

/**
 * The share of a shard's CPU that shared histories get. Businesses whose histories are read take turns, a chunk each,
 * however many and long they are.
 */
export class HistoryShare {
  readonly #slot = new FairSlots({ total: 1, share: 1 });
  readonly #bytesPerS: number;

  constructor(bytesPerS = defaultBytesPerS) {
    this.#bytesPerS = bytesPerS;
  }

  /** Reads a chunk of `bytes` in a turn of the business. The turn lasts as long as the rate has it. */
  async turn<T>(businessId: string, bytes: number, read: () => T): Promise<T> {
    if (!(await this.#slot.acquire(businessId, maxWaitMs))) throw new Error("the history had no turn in time");
    try {
      const result = read();
      await sleep((bytes / this.#bytesPerS) * 1_000);
      return result;
    } finally {
      this.#slot.giveBack(businessId);
    }
  }
}

/** The shares of this process: a history in a notification does not wait for those on the media host. */
export const historyShares = { inline: new HistoryShare(), downloaded: new HistoryShare() } as const;
export type HistoryShares = { readonly [kind in keyof typeof historyShares]: HistoryShare };
