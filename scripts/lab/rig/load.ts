/** Work that falls due. Jobs of one lane run one after the other; a job without a lane runs at once. */
export type Job = { lane?: string; run: () => Promise<unknown> };

export type LoadOptions = {
  perSecond: number;
  /** The jobs of tick `n`, which fell due at `dueMs` (performance.now()). */
  jobsAt: (n: number, dueMs: number) => readonly Job[];
};

/**
 * An open-loop load: ticks fall due at a steady rate, whatever becomes of earlier ones, and late ticks catch up. The
 * first failure of a job ends the load.
 */
export class SteadyLoad {
  readonly #options: LoadOptions;
  /** The last job of each lane. */
  readonly #tails = new Map<string, Promise<unknown>>();
  readonly #inFlight = new Set<Promise<unknown>>();
  #running: Promise<void> | undefined;
  #atLeast: number | undefined;
  #failure: unknown;
  /** Ticks so far. */
  count = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** Runs until finish(), or for `count` ticks. */
  start(count?: number): this {
    this.#atLeast = count;
    this.#running = this.#run();
    // Thrown by check() and finish().
    this.#running.catch(() => {});
    return this;
  }

  /** @throws the first failure of a job */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure as Error;
  }

  /** Ends once there were at least `count` ticks and all jobs are done. */
  async finish(count = 0): Promise<void> {
    this.#atLeast = count;
    await this.#running;
    await Promise.all(this.#tails.values());
    await Promise.all(this.#inFlight);
    this.check();
  }

  async #run(): Promise<void> {
    const { perSecond, jobsAt } = this.#options;
    const startedAt = performance.now();
    for (; this.#atLeast === undefined || this.count < this.#atLeast; this.count++) {
      const dueMs = startedAt + (this.count / perSecond) * 1000;
      const early = dueMs - performance.now();
      if (early > 1) await Bun.sleep(early);
      this.check();
      // finish() may have been called during the sleep.
      if (this.#atLeast !== undefined && this.count >= this.#atLeast) return;
      for (const job of jobsAt(this.count, dueMs)) this.#enqueue(job);
    }
  }

  #enqueue({ lane, run }: Job): void {
    const job = lane === undefined ? run() : (this.#tails.get(lane) ?? Promise.resolve()).then(run);
    job.catch((error: unknown) => (this.#failure ??= error));
    if (lane !== undefined) {
      this.#tails.set(lane, job);
      return;
    }
    this.#inFlight.add(job);
    const remove = () => this.#inFlight.delete(job);
    job.then(remove, remove);
  }
}

/** Runs `count` ticks of a {@link SteadyLoad} and waits for all jobs. */
export const runLoad = (options: LoadOptions, count: number): Promise<void> =>
  new SteadyLoad(options).start(count).finish(count);

/** A closed-loop load: each of `width` lanes repeats `work` as soon as it is done, until `forMs` are over. */
export async function closedLoad(
  width: number,
  forMs: number,
  work: (lane: number) => Promise<unknown>,
): Promise<{ done: number; perSecond: number }> {
  const startedAt = performance.now();
  let done = 0;
  const lane = async (_: unknown, index: number) => {
    while (performance.now() - startedAt < forMs) {
      await work(index);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: width }).map(lane));
  return { done, perSecond: (done * 1000) / (performance.now() - startedAt) };
}
