/** What must hold, whatever is asked of the platform. */
export const bounds = {
  /** One request may keep a service from all others for this long. */
  eventLoopBlockMs: 250,
  /** Of the edge and of temporary files. */
  diskMb: 64,
  /** The other tenant's p99, against its own without attacks. */
  slowdown: 5,
  /** Memory of Redis that an attack leaves behind: what is small enough to be many. */
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

/** A bound that was broken, and the kind of attack that was in flight then. */
export type Breach = { bound: Bound; kind: string; what: string };

/** The same fault of a kind a hundred times is one fault, and how often. */
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
