import { messageOf } from "../../../lib/core/errors.ts";
import type { Producer } from "../../../lib/queues/producer.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { JournalStream } from "../../../lib/contracts/shard/schemas.ts";
import type { Journal } from "./journal.ts";

const jobOf = { inbound: "inbound", receipts: "receipts", events: "session_events", identities: "identities" } as const;
const streams = Object.keys(jobOf) as JournalStream[];

export type WakeUpTimes = {
  /** Minimum milliseconds between two wake-ups of a stream: a run drains the stream, so more would only cost Redis. */
  spacingMs: number;
  /** Maximum milliseconds until a lost wake-up is repeated. */
  repeatMs: number;
};

/** Enqueues wake-ups for the journal's streams, and repeats them while a stream has entries. */
export class WakeUps {
  readonly #producer: Pick<Producer, "wake">;
  readonly #shard: number;
  readonly #logger: Logger;
  readonly #times: WakeUpTimes;
  readonly #timers = new Map<JournalStream, ReturnType<typeof setTimeout>>();
  readonly #last = new Map<JournalStream, number>();
  #repeat: ReturnType<typeof setInterval> | undefined;
  #stopped = false;

  constructor(
    producer: Pick<Producer, "wake">,
    shard: number,
    logger: Logger,
    times: WakeUpTimes = { spacingMs: 50, repeatMs: 3_000 },
  ) {
    this.#times = times;
    this.#producer = producer;
    this.#shard = shard;
    this.#logger = logger;
  }

  /** Starts repeating wake-ups while the journal is not empty. */
  watch(journal: Journal): void {
    this.#repeat = setInterval(() => {
      for (const stream of streams) if (journal.depth(stream) > 0) this.appended(stream);
    }, this.#times.repeatMs);
  }

  /** A stream has a new entry. */
  appended(stream: JournalStream): void {
    if (this.#stopped || this.#timers.has(stream)) return;
    const wait = Math.max(0, (this.#last.get(stream) ?? 0) + this.#times.spacingMs - performance.now());
    this.#timers.set(
      stream,
      setTimeout(() => void this.#wake(stream), wait),
    );
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#repeat);
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  async #wake(stream: JournalStream): Promise<void> {
    this.#timers.delete(stream);
    this.#last.set(stream, performance.now());
    try {
      await this.#producer.wake(jobOf[stream], { shard: this.#shard });
    } catch (error) {
      this.#logger.warn(
        { stream, error: messageOf(error) },
        "a wake-up was lost; it is repeated while the journal has entries",
      );
    }
  }
}
