import { existsSync, statSync, writeFileSync } from "node:fs";
import { KeyedLock } from "../../../lib/core/keyed_lock.ts";

/**
 * One slot a record: key (8 bytes), time (8), state (1), deaths (1). Only content that is being decrypted or decoded
 * has one: a few at a time.
 */
const slotBytes = 32;
const slotCount = 512;
const timeAt = 8;
const stateAt = 16;
const deathsAt = 17;

const free = 0;
const inFlight = 1;
/** The process died while handling it; it is not in flight now. */
const suspected = 2;

/** One death may be a deploy or an operator's kill; two with the same content in flight are not. */
const deathsToQuarantine = 2;
/** Records that survive a restart. The other slots stay free for content in flight. */
const maxSuspects = 128;
/** WhatsApp keeps unacknowledged messages for about 30 days. */
const maxAgeMs = 30 * 86_400_000;

type Suspect = { slot: number; deaths: number };

/** An attempt to decrypt and decode content. Ended when the process has survived it. */
export type Attempt = { end(): void };

/**
 * Counts process deaths by the content that was being decrypted or decoded. WhatsApp redelivers unacknowledged content
 * after the next login: content that exhausts the memory or hangs the event loop would kill the shard, with all its
 * businesses, for ever. Content that was in flight at two deaths is quarantined.
 *
 * The records are a memory-mapped file: writing one costs no system call and no fsync, and the page cache outlives the
 * process. The file is allocated in full at the start, so that a full disk does not matter later.
 */
export class Attempts {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #free: number[] = [];
  /** The content in flight when the process died, by key. */
  readonly #suspects = new Map<bigint, Suspect>();
  readonly #lock = new KeyedLock();

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#recover(Date.now());
  }

  static open(path: string): Attempts {
    const size = slotBytes * slotCount;
    if (!existsSync(path) || statSync(path).size !== size) writeFileSync(path, new Uint8Array(size), { flush: true });
    return new Attempts(Bun.mmap(path, { shared: true }));
  }

  /** Identifies the content of a stanza: WhatsApp redelivers the same bytes. */
  static key(businessId: string, content: Uint8Array): bigint {
    return Bun.hash.wyhash(content, Bun.hash.wyhash(businessId));
  }

  isQuarantined(key: bigint): boolean {
    return (this.#suspects.get(key)?.deaths ?? 0) >= deathsToQuarantine;
  }

  /**
   * Records that content is in flight, and resolves when it may be handled. Suspects are handled one at a time: another
   * death then counts against its cause, and not against other content that was in flight with it before.
   */
  async begin(key: bigint): Promise<Attempt> {
    const suspect = this.#suspects.get(key);
    if (suspect === undefined) {
      const slot = this.#free.pop();
      if (slot === undefined) return { end: () => {} };
      this.#write(slot, key, inFlight, 0);
      return { end: () => this.#release(slot) };
    }
    const begun = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    void this.#lock.run("suspects", () => {
      begun.resolve();
      return ended.promise;
    });
    await begun.promise;
    if (this.#suspects.get(key) !== suspect) {
      // A copy was handled in between and did no harm.
      ended.resolve();
      return this.begin(key);
    }
    this.#write(suspect.slot, key, inFlight, suspect.deaths);
    return {
      end: () => {
        this.#suspects.delete(key);
        this.#release(suspect.slot);
        ended.resolve();
      },
    };
  }

  /** Reads the records of the last process, and counts a death for content that was in flight. */
  #recover(now: number): void {
    const found = new Map<bigint, { at: number; deaths: number }>();
    for (let slot = 0; slot < slotCount; slot++) {
      const base = slot * slotBytes;
      const state = this.#bytes[base + stateAt];
      const at = this.#view.getFloat64(base + timeAt);
      if (state === free || !(Math.abs(now - at) < maxAgeMs)) continue;
      const key = this.#view.getBigUint64(base);
      const deaths = Math.min(255, this.#bytes[base + deathsAt]! + (state === inFlight ? 1 : 0));
      found.set(key, { at, deaths: Math.max(deaths, found.get(key)?.deaths ?? 0) });
    }
    const newest = [...found].toSorted(([, a], [, b]) => b.at - a.at).slice(0, maxSuspects);
    this.#bytes.fill(0);
    for (const [slot, [key, { at, deaths }]] of newest.entries()) {
      this.#write(slot, key, suspected, deaths, at);
      this.#suspects.set(key, { slot, deaths });
    }
    for (let slot = slotCount - 1; slot >= newest.length; slot--) this.#free.push(slot);
  }

  /** The state is written last: a half-written record does not count. */
  #write(slot: number, key: bigint, state: number, deaths: number, at = Date.now()): void {
    const base = slot * slotBytes;
    this.#view.setBigUint64(base, key);
    this.#view.setFloat64(base + timeAt, at);
    this.#bytes[base + deathsAt] = deaths;
    this.#bytes[base + stateAt] = state;
  }

  #release(slot: number): void {
    this.#bytes[slot * slotBytes + stateAt] = free;
    this.#free.push(slot);
  }
}
