/** Why a slot was refused: all slots are in use, or the owner holds its share of them. */
export type SlotRefusal = "full" | "share";

export type SlotLimits = {
  total: number;
  /** Most slots that one owner may hold. */
  share: number;
  /** Slots that only an owner without one may take, so that a few owners together never hold all. None by default. */
  reserved?: number;
};

/**
 * A bounded number of slots within one process. Each owner (a business, a key, an address) holds at most its share, so
 * that none takes all. An operation costs one map access, because every request passes through it.
 */
export class Slots {
  readonly limits: SlotLimits;
  readonly #held = new Map<string, number>();
  #inUse = 0;

  constructor(limits: SlotLimits) {
    this.limits = limits;
  }

  get inUse(): number {
    return this.#inUse;
  }

  heldBy(owner: string): number {
    return this.#held.get(owner) ?? 0;
  }

  /** Takes a slot, or returns the reason for refusing it. An undefined owner has no share. Give each slot back once. */
  take(owner: string | undefined): SlotRefusal | null {
    if (this.#inUse >= this.limits.total) return "full";
    if (owner !== undefined) {
      const held = this.#held.get(owner) ?? 0;
      const { total, share, reserved = 0 } = this.limits;
      if (held >= share || (held > 0 && this.#inUse >= total - reserved)) return "share";
      this.#held.set(owner, held + 1);
    }
    this.#inUse += 1;
    return null;
  }

  giveBack(owner: string | undefined): void {
    this.#inUse -= 1;
    if (owner === undefined) return;
    const held = (this.#held.get(owner) ?? 1) - 1;
    if (held === 0) this.#held.delete(owner);
    else this.#held.set(owner, held);
  }
}

/** Returns a function that calls `work` the first time and does nothing later. */
export function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    work();
  };
}
