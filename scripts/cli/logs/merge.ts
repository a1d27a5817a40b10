type Timed = { readonly at: number };

type Feed<E> = {
  iterator: AsyncIterator<E>;
  /** The next entry, once it is there. */
  head?: { entry: E; arrivedAt: number } | undefined;
  /** When the next entry was asked for; by `performance.now()`. */
  askedAt?: number | undefined;
};

export type MergeOptions = {
  /**
   * How long an entry waits for earlier ones of other feeds, in ms. Infinity for logs that end. A followed feed
   * is idle for most of the time: without a limit, nothing would be merged until its next entry.
   */
  holdMs: number;
  /** Called for a feed that fails; the others go on. */
  onError: (error: unknown) => void;
};

/**
 * Merges feeds, each in order, by time. Holds one entry of each, so that the feeds' readers wait for the consumer.
 *
 * @example
 * const merged = new Merge<Entry>({ holdMs: Number.POSITIVE_INFINITY, onError });
 * merged.add(entries);
 * merged.end();
 * for await (const entry of merged) print(entry);
 */
export class Merge<E extends Timed> implements AsyncIterable<E> {
  readonly #feeds = new Set<Feed<E>>();
  readonly #options: MergeOptions;
  #isEnded = false;
  #changed = Promise.withResolvers<void>();

  constructor(options: MergeOptions) {
    this.#options = options;
  }

  add(feed: AsyncIterable<E>): void {
    this.#feeds.add({ iterator: feed[Symbol.asyncIterator]() });
    this.#changed.resolve();
  }

  /** No feed is added any more: the merge ends with the last one. */
  end(): void {
    this.#isEnded = true;
    this.#changed.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<E> {
    for (;;) {
      this.#changed = Promise.withResolvers<void>();
      for (const feed of this.#feeds) if (feed.head === undefined && feed.askedAt === undefined) this.#ask(feed);
      const first = this.#earliest();
      if (first === undefined && this.#feeds.size === 0 && this.#isEnded) return;
      const waitMs = first === undefined ? Number.POSITIVE_INFINITY : this.#waitMs(first.head!);
      if (first === undefined || waitMs > 0) {
        await this.#change(waitMs);
        continue;
      }
      const { entry } = first.head!;
      first.head = undefined;
      yield entry;
    }
  }

  #ask(feed: Feed<E>): void {
    feed.askedAt = performance.now();
    feed.iterator
      .next()
      .then(
        ({ done, value }) => {
          if (done) this.#feeds.delete(feed);
          else feed.head = { entry: value, arrivedAt: performance.now() };
        },
        (error: unknown) => {
          this.#feeds.delete(feed);
          this.#options.onError(error);
        },
      )
      .finally(() => {
        feed.askedAt = undefined;
        this.#changed.resolve();
      });
  }

  #earliest(): Feed<E> | undefined {
    let first: Feed<E> | undefined;
    for (const feed of this.#feeds)
      if (feed.head !== undefined && (first?.head === undefined || feed.head.entry.at < first.head.entry.at))
        first = feed;
    return first;
  }

  /** How long an entry still has to wait for feeds without one. */
  #waitMs({ entry, arrivedAt }: NonNullable<Feed<E>["head"]>): number {
    const { holdMs } = this.#options;
    const now = performance.now();
    let waitMs = 0;
    for (const { head, askedAt } of this.#feeds) {
      if (head !== undefined) continue;
      // An entry of the past waits only for feeds that were just asked; one of this moment also for silent ones.
      const ageMs = Math.max(Date.now() - entry.at, now - arrivedAt);
      waitMs = Math.max(waitMs, holdMs - Math.min(ageMs, now - (askedAt ?? now)));
    }
    return waitMs;
  }

  async #change(withinMs: number): Promise<void> {
    if (withinMs === Number.POSITIVE_INFINITY) return this.#changed.promise;
    const timer = setTimeout(this.#changed.resolve, withinMs);
    await this.#changed.promise;
    clearTimeout(timer);
  }
}
