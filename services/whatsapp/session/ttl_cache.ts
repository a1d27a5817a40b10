import type { PossiblyExtendedCacheStore } from "@whiskeysockets/baileys";
import { BoundedMap } from "../../../lib/core/bounded_map.ts";

/**
 * A cache for Baileys that is bounded in size as well as in time. Baileys' own are bounded in time only and grow with
 * the number of contacts.
 */
export class TtlCache implements PossiblyExtendedCacheStore {
  readonly #ttlMs: number;
  readonly #entries: BoundedMap<string, { value: unknown; until: number }>;

  constructor(capacity: number, ttlMs: number) {
    this.#entries = new BoundedMap(capacity);
    this.#ttlMs = ttlMs;
  }

  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the interface's shape
  get<T>(key: string): T | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.until > Date.now()) return entry.value as T;
    this.#entries.delete(key);
    return undefined;
  }

  set(key: string, value: unknown): boolean {
    this.#entries.set(key, { value, until: Date.now() + this.#ttlMs });
    return true;
  }

  del(key: string): void {
    this.#entries.delete(key);
  }

  flushAll(): void {
    this.#entries.clear();
  }
}
