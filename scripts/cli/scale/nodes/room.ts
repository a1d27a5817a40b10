/** Reserved by an allocation, or free on a node. */
export type Resources = { cpuMhz: number; memoryMb: number };

export const fits = (need: Resources, free: Resources): boolean =>
  need.cpuMhz <= free.cpuMhz && need.memoryMb <= free.memoryMb;

/** The free resources of nodes, from which a plan takes. */
export class Room {
  readonly #free: Map<string, Resources>;

  constructor(nodes: readonly { id: string; free: Resources }[]) {
    this.#free = new Map(nodes.map(({ id, free }) => [id, free]));
  }

  has(nodeId: string, need: Resources): boolean {
    const free = this.#free.get(nodeId);
    return free !== undefined && fits(need, free);
  }

  take(nodeId: string, need: Resources): void {
    const free = this.#free.get(nodeId)!;
    this.#free.set(nodeId, { cpuMhz: free.cpuMhz - need.cpuMhz, memoryMb: free.memoryMb - need.memoryMb });
  }

  freeMemoryMb(nodeId: string): number {
    return this.#free.get(nodeId)?.memoryMb ?? 0;
  }
}
