import { AppError, messageOf } from "../../../lib/core/errors.ts";
import type { KeyRing } from "../../../lib/core/key_ring.ts";
import { appendTail, releaseCopy } from "../../../lib/db/index.ts";
import type { CopyScope } from "../../../lib/db/index.ts";
import type { SealedStore } from "../../../lib/storage/index.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { ShardDb } from "../volume/shard_db.ts";
import type { Volume } from "../volume/volume.ts";
import type { Claimed } from "./claim.ts";
import { writeCopyRecord } from "./copy_record.ts";
import type { CopyRecord } from "./copy_record.ts";
import { leaseMs, renewMs } from "./lease.ts";
import type { Lease } from "./lease.ts";
import { RemovalAge } from "./removal_age.ts";
import { RowCapture, schemaHash } from "./row_capture.ts";
import { deleteReplaced, takeSnapshot } from "./snapshot.ts";
import { StoreCopies } from "./store_copies.ts";
import { CopyLost, Tail } from "./tail.ts";

/** How far `copied` lags while Postgres answers. */
const spacingMs = 250;
/** Bytes of changes that wait for Postgres: a busy shard makes as many in a minute. */
const maxPendingBytes = 64 * 1024 * 1024;
/** The tail is trimmed by a snapshot when it exceeds this, and the snapshot: it then costs at most as much again. */
const minTailBytes = 64 * 1024 * 1024;
const snapshotRetryMs = 5_000;
/** How often lease and lag are checked: well below the lease's margin. */
const watchMs = 250;
/** A lag beyond this is recorded on the volume: after a kill, the copy lacks more than a moment. */
const behindMs = 2_000;

export type Durability = "copied" | "required";

export type ShardCopyOptions = {
  durability: Durability;
  volume: Volume;
  keys: KeyRing;
  db: ShardDb;
  scope: CopyScope;
  storage: SealedStore;
  lease: Lease;
  claimed: Claimed;
  logger: Logger;
  /** This process may not be the owner any more: close every session at once. */
  onLost: (reason: string) => void;
};

/** The copy of this shard's state outside of its volume. */
export class ShardCopy {
  readonly stores: StoreCopies;
  readonly #options: ShardCopyOptions;
  readonly #tail: Tail;
  readonly #rows: RowCapture;
  readonly #removals: RemovalAge;
  readonly #watch: ReturnType<typeof setInterval>;
  #complete: boolean;
  /** True once the setting's guarantee holds. */
  #isReady: boolean;
  /** Objects in the storage: the last snapshot, and those that are still to be deleted. */
  readonly #objects: Set<string>;
  #snapshotBytes: number;
  #tailBytes: number;
  #snapshotting: Promise<void> | undefined;
  #lost: string | undefined;
  #stopped = false;
  #recorded: CopyRecord;

  /** To be created once every table of the database exists, and before anything is written. */
  constructor(options: ShardCopyOptions) {
    const { volume, keys, db, scope, lease, logger, claimed } = options;
    const { shard } = volume;
    const { tail_seq: seq, complete, snapshot_key, pending_key, snapshot_bytes, tail_bytes } = claimed.copy;
    this.#options = options;
    this.#complete = complete;
    this.#isReady = options.durability === "copied";
    this.#recorded = claimed.record;
    this.#objects = new Set([snapshot_key, pending_key].filter((key) => key !== null));
    this.#snapshotBytes = snapshot_bytes ?? 0;
    this.#tailBytes = tail_bytes;
    this.#tail = new Tail({
      shard,
      seq,
      sealer: keys.rotatingSealer("shard tail", Buffer.alloc(0)),
      spacingMs,
      renewMs,
      maxPendingBytes,
      append: (append) => appendTail(scope, { owner: claimed.copy, leaseMs, ...append }),
      onAppended: (sentAt, bytes) => {
        lease.confirmed(sentAt);
        this.#tailBytes += bytes;
        if (this.#tailBytes > Math.max(minTailBytes, this.#snapshotBytes)) this.#snapshot();
      },
      onGap: (reason) => {
        this.#complete = false;
        logger.error({ alarm: true, reason }, "the copy has a gap; a snapshot closes it");
        this.#snapshot();
      },
      onLost: () => this.#lose("another process has claimed the copy"),
      onError: (error) => logger.warn({ error: messageOf(error) }, "Postgres does not take the copy"),
    });
    this.#removals = new RemovalAge({
      hasRemovals: seq > (claimed.copy.snapshot_seq ?? 0),
      snapshotAgoMs: claimed.copy.snapshot_ago_ms,
    });
    this.#rows = new RowCapture(db.db);
    db.onCommitted = () => {
      this.#tail.add(this.#rows.take());
      return this.#copied();
    };
    this.stores = new StoreCopies({
      volume,
      keys,
      logger,
      add: (records) => {
        this.#removals.add(records);
        this.#tail.add(records);
      },
      drop: (reason) => this.#tail.drop(reason),
      copied: () => this.#copied(),
    });
    const { record, isAhead } = claimed;
    if (complete && record.schema !== this.#schema) this.#tail.drop("the tables of the shard changed");
    else if (!complete || isAhead || record.key !== this.#key) this.#snapshot();
    this.#watch = setInterval(() => {
      if (lease.leftMs <= 0) this.#lose("neither Postgres nor Consul confirmed its lease in time");
      else {
        this.#recordLag();
        if (this.#removals.isDue) this.#snapshot();
      }
    }, watchMs);
  }

  /**
   * Resolves once the setting's guarantee holds. With `required` that is after the first snapshot, unless the tail goes
   * on: the volume may be ahead of the copy, and WhatsApp is acknowledged again what the volume has.
   */
  async ready(): Promise<void> {
    const isExact = this.#complete && !this.#options.claimed.isAhead;
    if (!this.#isReady && !isExact) await this.#snapshotting;
    this.#isReady = true;
  }

  /** Resolves when no snapshot is being taken. */
  async settled(): Promise<void> {
    await this.#snapshotting;
  }

  /** Resolves once the copy has every earlier change. Rejects if this process is not the owner any more. */
  stored(): Promise<void> {
    return this.#tail.stored();
  }

  /** @throws AppError "unavailable" once another process may own the shard. */
  fence(): void {
    if (this.#lost === undefined && this.#options.lease.leftMs > 0) return;
    throw new AppError("unavailable", `Shard ${this.#options.volume.shard} may be owned by another process now.`, {
      retryAfterS: 5,
    });
  }

  get isComplete(): boolean {
    return this.#complete;
  }

  /** True once another process may own the shard. */
  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Seconds that the oldest change has waited for Postgres. */
  get behindS(): number {
    return this.#tail.behindMs / 1000;
  }

  /** Writes what is missing and ends the lease. To be called after the sessions and before the database is closed. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    const { db, scope, claimed } = this.#options;
    db.flush();
    const isStored = await this.#tail.close();
    clearInterval(this.#watch);
    if (!isStored || this.#lost !== undefined) return;
    const { seq } = this.#tail;
    db.onCommitted = () => Promise.reject(new CopyLost());
    this.#record({ behind: false, end: seq });
    await releaseCopy(scope, { owner: claimed.copy, seq });
  }

  #record(changes: Partial<CopyRecord>): void {
    this.#recorded = { ...this.#recorded, ...changes };
    writeCopyRecord(this.#options.volume, this.#recorded);
  }

  get #schema(): string {
    return schemaHash(this.#options.db.db);
  }

  get #key(): string {
    return this.#options.db.sealer.keyId;
  }

  #recordLag(): void {
    const { logger } = this.#options;
    const behind = this.#tail.behindMs > behindMs;
    if (behind === this.#recorded.behind || this.#stopped) return;
    this.#record({ behind });
    if (behind) logger.error({ alarm: true }, "the copy lags behind the shard");
    else logger.info("the copy has caught up");
  }

  #copied(): Promise<void> | undefined {
    return this.#options.durability === "required" ? this.#tail.stored() : undefined;
  }

  #lose(reason: string): void {
    if (this.#lost !== undefined) return;
    this.#lost = reason;
    clearInterval(this.#watch);
    this.#options.onLost(reason);
  }

  /** Takes a snapshot, unless one is being taken; retries until there is one. */
  #snapshot(): void {
    if (this.#stopped) return;
    this.#snapshotting ??= this.#takeSnapshots().finally(() => {
      this.#snapshotting = undefined;
    });
  }

  async #takeSnapshots(): Promise<void> {
    const { logger } = this.#options;
    while (this.#lost === undefined && !this.#stopped) {
      try {
        if (await this.#takeOne()) return;
        logger.warn("changes were dropped during the shard's snapshot; it is taken again");
      } catch (error) {
        if (error instanceof CopyLost) return this.#lose(error.message);
        logger.warn({ error: messageOf(error) }, "the shard's snapshot failed; it is tried again");
      }
      await Bun.sleep(snapshotRetryMs);
    }
  }

  /** Resolves with false if changes are missing from the copy afterwards. */
  async #takeOne(): Promise<boolean> {
    const { scope, storage, claimed, durability, logger } = this.#options;
    const began = performance.now();
    const [schema, key] = [this.#schema, this.#key];
    const tailBytes = this.#tailBytes;
    const removalsDeleted = this.#removals.snapshotBegins();
    const options = {
      owner: claimed.copy,
      exact: durability === "required",
      scope,
      storage,
      tail: this.#tail,
      pages: () => this.#pages(),
      objects: this.#objects,
      isPaced: () => this.#isReady,
      logger,
    };
    const snapshot = await takeSnapshot(options);
    if (snapshot === undefined) return false;
    this.#snapshotBytes = snapshot.bytes;
    this.#tailBytes -= tailBytes;
    this.#complete = this.#tail.bridged(snapshot.gaps);
    this.#record({ schema, key });
    removalsDeleted();
    logger.info({ bytes: snapshot.bytes, ms: Math.round(performance.now() - began) }, "took a snapshot of the shard");
    await deleteReplaced(options, snapshot);
    return this.#complete;
  }

  *#pages() {
    yield* this.#rows.all();
    yield* this.stores.all();
  }
}
