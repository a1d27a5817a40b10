import type { ChangeRecord } from "./records.ts";

/** Longest time that a deleted login stays in the copy while snapshots succeed. */
const maxAgeMs = 24 * 60 * 60 * 1000;

export type RemovalAgeOptions = {
  /** True if the tail may contain removed logins already. */
  hasRemovals: boolean;
  /** Milliseconds since the last snapshot; null without one. */
  snapshotAgoMs: number | null;
  now?: () => number;
};

/**
 * Decides when a snapshot has to be taken because of a removed login. Its values stay in the former snapshot and in the
 * tail until a snapshot replaces both, and a shard that writes little would not take one for months.
 */
export class RemovalAge {
  readonly #now: () => number;
  #snapshotAt: number;
  #removals: number;
  #deleted = 0;

  constructor({ hasRemovals, snapshotAgoMs, now = () => performance.now() }: RemovalAgeOptions) {
    this.#now = now;
    this.#snapshotAt = now() - (snapshotAgoMs ?? 0);
    this.#removals = hasRemovals ? 1 : 0;
  }

  add(records: readonly ChangeRecord[]): void {
    if (records.some(([kind]) => kind === "removed")) this.#removals += 1;
  }

  /** A snapshot begins. The returned function is to be called once it is finished. */
  snapshotBegins(): () => void {
    const [removals, at] = [this.#removals, this.#now()];
    return () => {
      this.#deleted = removals;
      this.#snapshotAt = at;
    };
  }

  get isDue(): boolean {
    return this.#removals > this.#deleted && this.#now() - this.#snapshotAt > maxAgeMs;
  }
}
