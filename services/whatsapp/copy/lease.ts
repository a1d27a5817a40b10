/** The lease in Postgres, and the TTL of the lock in Consul. A successor waits for the end of both. */
export const leaseMs = 15_000;
/** The lease is renewed so often while there is nothing to copy. */
export const renewMs = 3_000;
/** The owner closes its sessions so long before a successor may begin. */
export const marginMs = 2_000;

/**
 * How long this process may count on being the only owner: as long as Postgres or Consul has confirmed it within the
 * lease. A successor has to take the lock in Consul and the lease in Postgres, so one confirmation is enough. Times are
 * those at which a confirmed request was sent, by the monotonic clock.
 *
 * Postgres confirms the epoch, which no other process has claimed then. Consul confirms the lock only: after a time
 * without any confirmation, such as a suspension, another process may have held it in between, and have restored the
 * shard. So the lock counts only while it continues a valid lease.
 */
export class Lease {
  readonly #consulConfirmedAt: () => number | null;
  readonly #now: () => number;
  #until = Number.NEGATIVE_INFINITY;

  constructor(consulConfirmedAt: () => number | null, now = () => performance.now()) {
    this.#consulConfirmedAt = consulConfirmedAt;
    this.#now = now;
  }

  /** Postgres has confirmed the epoch to a request that was sent at this time. */
  confirmed(sentAt: number): void {
    this.#until = Math.max(this.#until, sentAt + leaseMs - marginMs);
  }

  /** Milliseconds until the sessions have to be closed; negative after that. */
  get leftMs(): number {
    const consul = this.#consulConfirmedAt();
    if (consul !== null && consul <= this.#until) this.confirmed(consul);
    return this.#until - this.#now();
  }
}
