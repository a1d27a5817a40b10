/** A failed restore is retried after this; each further failure doubles the delay. */
const firstMs = 30_000;
const longestMs = 600_000;

/** Delays the retries of each shard on its own: a failing one neither blocks others nor keeps the scale lock. */
export class ShardBackoff {
  readonly #failed = new Map<number, { failures: number; retryAt: number }>();

  /** The next shards to run the command for: all without a failure at once, or else one that is due for a retry. */
  next(shards: readonly number[], now: number): number[] {
    const fresh = shards.filter((shard) => !this.#failed.has(shard));
    if (fresh.length > 0) return fresh;
    const due = shards.filter((shard) => this.#failed.get(shard)!.retryAt <= now);
    return due.toSorted((a, b) => this.#failed.get(a)!.retryAt - this.#failed.get(b)!.retryAt).slice(0, 1);
  }

  fail(shards: readonly number[], now: number): void {
    for (const shard of shards) {
      const failures = (this.#failed.get(shard)?.failures ?? 0) + 1;
      const retryAt = now + Math.min(firstMs * 2 ** (failures - 1), longestMs);
      this.#failed.set(shard, { failures, retryAt });
    }
  }

  succeed(shards: readonly number[]): void {
    for (const shard of shards) this.#failed.delete(shard);
  }
}
