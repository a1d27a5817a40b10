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

  /** Removes and returns up to `max` items. */
  take(max: number): Item[] {
    const [only] = this.#items.size === 1 ? this.#items : [];
    if (only !== undefined) return this.#takeOf(only[0], only[1], max);
    const taken: Item[] = [];
    while (taken.length < max && this.#size > 0) {
      for (const [owner, items] of Array.from(this.#items)) {
        if (taken.length === max) break;
        // Back to the end of the line: the other owners come first.
        this.#items.delete(owner);
        this.#items.set(owner, items);
        taken.push(...this.#takeOf(owner, items, 1));
      }
    }
    return taken;
  }

  #takeOf(owner: string, items: Item[], max: number): Item[] {
    const taken = items.splice(0, max);
    if (items.length === 0) this.#items.delete(owner);
    this.#size -= taken.length;
    return taken;
  }
}
