/** Bounds that hold for every input. */
export const bounds = {
  /** Longest block of an event loop by one request. */
  eventLoopBlockMs: 250,
  /** Disk use of the edge and of temporary files. */
  diskMb: 64,
  /** The other tenant's p99 divided by its p99 without attacks. */
  slowdown: 5,
  /** Redis memory that an attack leaves behind. */
  redisKbPerAttack: 64,
} as const;

export type Bound =
  | "process_deaths"
  | "rss_mb"
  | "event_loop_block_ms"
  | "disk_mb"
  | "redis_kb"
  | "answer"
  | "other_tenant_failed"
  | "other_tenant_p99_ms"
  | "redis_full_recovered";

/** A broken bound and the kind of attack in flight. */
export type Breach = { bound: Bound; kind: string; what: string };

/** Collects breaches; repeated ones of a kind are counted. */
export class Breaches {
  readonly #all = new Map<string, Breach & { times: number }>();
  readonly #say: (line: string) => void;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  add(breach: Breach): void {
    const key = `${breach.bound}/${breach.kind}`;
    const known = this.#all.get(key);
    if (known) known.times += 1;
    else {
      this.#all.set(key, { ...breach, times: 1 });
      this.#say(`BROKEN  ${breach.bound} by ${breach.kind}: ${breach.what}`);
    }
  }

  list(): (Breach & { times: number })[] {
    return [...this.#all.values()];
  }
}
