import { messageOf } from "../../../lib/core/errors.ts";
import type { Sealer } from "../../../lib/core/key_ring.ts";
import { backoff } from "../../../lib/core/retry.ts";
import type { AppendOutcome, TailEntry } from "../../../lib/db/index.ts";
import { Batch } from "./batch.ts";
import { encode, inGroups } from "./records.ts";
import type { ChangeRecord } from "./records.ts";

/** Most bytes of records in one row of the tail. A larger record gets a row of its own. */
const maxRowBytes = 1024 * 1024;
/** Rows of one statement. */
const rowsPerAppend = 4;

export type TailOptions = {
  shard: number;
  /** The last row of the tail in Postgres. */
  seq: number;
  sealer: Sealer;
  /** Milliseconds between the starts of two batches while nothing waits for the copy. */
  spacingMs: number;
  /** Milliseconds without a batch after which the lease is renewed. */
  renewMs: number;
  /** Bytes of changes that may wait for Postgres. Beyond that they are dropped, and the copy has a gap. */
  maxPendingBytes: number;
  append(append: { after: number; entries: TailEntry[]; gap: boolean }): Promise<AppendOutcome>;
  /** Called after each append with its bytes and the time at which it was sent: the lease runs from there. */
  onAppended(sentAt: number, bytes: number): void;
  /** Changes are missing: only a snapshot makes the copy complete again. */
  onGap(reason: string): void;
  /** Another process has claimed the copy. Final. */
  onLost(): void;
  onError(error: unknown): void;
};

/** Postgres refuses these rows, for example because of a row's size. */
type Refused = { is: "refused"; why: string };

export class CopyLost extends Error {
  override name = "CopyLost";
  constructor() {
    super("another process has claimed the copy of this shard");
  }
}

/**
 * The open end of a shard's copy: writes its changes to Postgres in the order of its commits, one batch at a time, and
 * renews the lease.
 */
export class Tail {
  readonly #options: TailOptions;
  #pending = new Batch();
  #inFlight: Batch | undefined;
  /** Batches whose changes were dropped, each with the count of gaps at its drop: a later snapshot contains them. */
  #dropped: { batch: Batch; gap: number }[] = [];
  #seq: number;
  /** Gaps so far, and how many of them Postgres knows. */
  #gaps = 0;
  #gapsNoted = 0;
  #lost = false;
  #closing = false;
  #urgent = false;
  #wake = () => {};
  readonly #running: Promise<void>;

  constructor(options: TailOptions) {
    this.#options = options;
    this.#seq = options.seq;
    this.#running = this.#run();
  }

  get seq(): number {
    return this.#seq;
  }

  /** Changes whenever changes are dropped. */
  get gaps(): number {
    return this.#gaps;
  }

  /** Milliseconds that the oldest change has waited. */
  get behindMs(): number {
    const since = this.#dropped[0]?.batch.since ?? this.#inFlight?.since ?? this.#pending.since;
    return since === undefined ? 0 : performance.now() - since;
  }

  add(records: readonly ChangeRecord[]): void {
    if (records.length === 0 || this.#lost) return;
    const isFirst = this.#pending.isEmpty;
    for (const record of records) this.#pending.add(record);
    if (this.#pending.bytes > this.#options.maxPendingBytes) {
      const full = this.#pending;
      this.#pending = new Batch();
      this.#drop(full, "too many changes wait for Postgres");
    }
    if (isFirst) this.#wake();
  }

  /** Resolves once the copy has every change that was added before. Rejects if another process has claimed it. */
  async stored(): Promise<void> {
    if (this.#lost) throw new CopyLost();
    const dropped = this.#dropped.at(-1)?.batch.stored;
    const inFlight = this.#inFlight?.stored;
    if (!this.#pending.isEmpty) await this.#flushed().stored;
    await inFlight;
    await dropped;
  }

  /**
   * Resolves once Postgres knows of each earlier gap and has every earlier change that was not dropped. Changes that
   * are dropped while it waits count as a new gap. Rejects as `stored` does.
   */
  async written(): Promise<void> {
    if (this.#lost) throw new CopyLost();
    const isNoted = this.#gapsNoted === this.#gaps;
    await (this.#pending.isEmpty && isNoted ? this.#inFlight?.settled : this.#flushed().settled);
  }

  /** Changes up to here are missing: the copy is not complete until the next snapshot. */
  drop(reason: string): void {
    this.#drop(new Batch(), reason);
  }

  /**
   * A snapshot that began after this number of gaps contains the changes that were dropped before it. Returns false if
   * more were dropped since: the copy is not complete.
   */
  bridged(gaps: number): boolean {
    for (const { batch, gap } of this.#dropped) if (gap <= gaps) batch.end();
    this.#dropped = this.#dropped.filter(({ gap }) => gap > gaps);
    if (this.#gaps === gaps) return true;
    // Postgres may have learned of the gap before the snapshot made the copy complete: the next append repeats it.
    this.#gaps += 1;
    this.#flushed();
    return false;
  }

  /** Writes what is pending, in one attempt, and ends. Resolves with true if the copy has every change. */
  async close(): Promise<boolean> {
    this.#closing = true;
    this.#wake();
    await this.#running;
    return !this.#lost && this.#pending.isEmpty && this.#dropped.length === 0 && this.#gaps === this.#gapsNoted;
  }

  async #run(): Promise<void> {
    const { spacingMs, renewMs } = this.#options;
    for (let began = performance.now(); !this.#lost;) {
      const interval = this.#urgent ? 0 : this.#pending.isEmpty ? renewMs : spacingMs;
      const wait = began + interval - performance.now();
      if (this.#closing && this.#pending.isEmpty) return;
      if (wait > 0 && !this.#closing) {
        await this.#sleep(wait);
        continue;
      }
      began = performance.now();
      const isWritten = await this.#write();
      if (this.#closing && !isWritten) return;
    }
  }

  /** The pending batch, which is written without delay. */
  #flushed(): Batch {
    this.#urgent = true;
    this.#wake();
    return this.#pending;
  }

  async #sleep(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#wake = resolve;
    await promise;
    clearTimeout(timer);
    this.#wake = () => {};
  }

  /** Writes the pending batch, or renews the lease if it is empty. Resolves with false if the batch was dropped. */
  async #write(): Promise<boolean> {
    const batch = this.#pending;
    this.#pending = new Batch();
    this.#inFlight = batch;
    this.#urgent = false;
    const rows = inGroups(batch.records, maxRowBytes);
    let isWritten = true;
    for (let at = 0; isWritten && (at === 0 || at < rows.length); at += rowsPerAppend) {
      isWritten = await this.#append(rows.slice(at, at + rowsPerAppend), batch);
    }
    this.#inFlight = undefined;
    if (isWritten) batch.end();
    return isWritten;
  }

  /**
   * Appends rows and retries while Postgres is unavailable. Resolves with false if the batch was dropped, which is also
   * the end of one that Postgres refuses: a retry would be refused, too, and every later change would wait for it.
   */
  async #append(rows: readonly ChangeRecord[][], batch: Batch): Promise<boolean> {
    const entries = rows.map((row, n) => this.#seal(row, this.#seq + 1 + n));
    for (let failures = 0; ;) {
      const sentAt = performance.now();
      const gaps = this.#gaps;
      const outcome = await this.#attempt(entries, gaps > this.#gapsNoted);
      switch (outcome.is) {
        case "appended":
          this.#seq += entries.length;
          this.#gapsNoted = gaps;
          this.#options.onAppended(
            sentAt,
            entries.reduce((sum, { box }) => sum + box.length, 0),
          );
          return true;
        case "lost":
          this.#lose(batch);
          return false;
        case "gap":
          this.#seq = outcome.tailSeq;
          this.#drop(batch, "Postgres has lost rows of the tail");
          return false;
        case "refused":
          this.#drop(batch, `Postgres refuses changes: ${outcome.why}`);
          return false;
        case "retry":
          if (this.#closing) {
            this.#drop(batch, "the shard stopped while Postgres was unavailable");
            return false;
          }
          failures += 1;
          await Bun.sleep(backoff({ attempt: failures, baseMs: 50, maxMs: 1_000 }));
      }
    }
  }

  async #attempt(entries: TailEntry[], gap: boolean): Promise<AppendOutcome | Refused> {
    try {
      return await this.#options.append({ after: this.#seq, entries, gap });
    } catch (error) {
      this.#options.onError(error);
      // A renewal contains nothing that could be refused.
      if (isUnavailable(error) || entries.length === 0) return { is: "retry" };
      return { is: "refused", why: messageOf(error) };
    }
  }

  #drop(batch: Batch, reason: string): void {
    batch.drop();
    this.#gaps += 1;
    this.#dropped.push({ batch, gap: this.#gaps });
    this.#options.onGap(reason);
  }

  #lose(batch: Batch): void {
    this.#lost = true;
    for (const waiting of [batch, this.#pending, ...this.#dropped.map((dropped) => dropped.batch)])
      waiting.end(new CopyLost());
    this.#options.onLost();
  }

  #seal(row: readonly ChangeRecord[], seq: number): TailEntry {
    const { shard, sealer } = this.#options;
    const plain = Bun.zstdCompressSync(encode(row), { level: 1 });
    const { keyId, box } = sealer.seal(plain, contextOf(shard, seq));
    return { key_id: keyId, box };
  }
}

/** A row is bound to its shard and number, so that none can be swapped unnoticed. */
export const contextOf = (shard: number, seq: number) => `tail/${shard}/${seq}`;

const isUnavailable = (error: unknown) => (error as { code?: unknown } | null)?.code === "unavailable";
