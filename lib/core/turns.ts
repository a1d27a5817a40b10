/** Items that wait, by owner. Owners take turns, whatever the number of items of each; an owner's items keep order. */
export class Turns<Item> {
  /** The first owner is next. */
  readonly #items = new Map<string, Item[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(owner: string, item: Item): void {
    const others = this.#items.get(owner);
    if (others === undefined) this.#items.set(owner, [item]);
    else others.push(item);
    this.#size += 1;
  }

  /**
   * Removes and returns up to `max` items that weigh at most `maxWeight` together, but at least one. An owner whose
   * next item is too heavy keeps its turn, and lighter items of other owners go ahead.
   */
  take(max: number, weightOf: (item: Item) => number = () => 0, maxWeight = Number.POSITIVE_INFINITY): Item[] {
    const [only] = this.#items.size === 1 ? this.#items : [];
    if (only !== undefined && maxWeight === Number.POSITIVE_INFINITY) return this.#takeOf(only[0], only[1], max);
    const taken: Item[] = [];
    /** Owners whose next item is too heavy. The weight only grows, so it stays so. */
    const held = new Set<string>();
    let weight = 0;
    while (taken.length < max && held.size < this.#items.size) {
      for (const [owner, items] of Array.from(this.#items)) {
        if (taken.length === max) break;
        if (held.has(owner)) continue;
        const heavier = weight + weightOf(items[0]!);
        if (heavier > maxWeight && taken.length > 0) {
          held.add(owner);
          continue;
        }
        weight = heavier;
        // Back to the end of the line: the other owners come first.
        this.#items.delete(owner);
        this.#items.set(owner, items);
        taken.push(...this.#takeOf(owner, items, 1));
      }
    }
    return taken;
  }

  /** Removes and returns the items for which `isRemoved` is true. */
  removeIf(isRemoved: (item: Item) => boolean): Item[] {
    const removed: Item[] = [];
    for (const [owner, items] of this.#items) {
      const kept = items.filter((item) => {
        const isKept = !isRemoved(item);
        if (!isKept) removed.push(item);
        return isKept;
      });
      if (kept.length === 0) this.#items.delete(owner);
      else this.#items.set(owner, kept);
    }
    this.#size -= removed.length;
    return removed;
  }

  #takeOf(owner: string, items: Item[], max: number): Item[] {
    const taken = items.splice(0, max);
    if (items.length === 0) this.#items.delete(owner);
    this.#size -= taken.length;
    return taken;
  }
}
