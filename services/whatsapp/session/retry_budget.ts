import { jidNormalizedUser } from "@whiskeysockets/baileys";
import type { BinaryNode, PossiblyExtendedCacheStore } from "@whiskeysockets/baileys";
import { BoundedMap } from "../../../lib/core/bounded_map.ts";
import { TtlCache } from "./ttl_cache.ts";

/** Retry receipts within the window, to one sender and to all senders of an account. */
const retriesPerSender = 10;
const retriesPerAccount = 300;
const windowMs = 10 * 60_000;
/** Baileys gives up requesting or resending a message after this. */
const countLifetimeMs = 3_600_000;
const givenUp = Number.MAX_SAFE_INTEGER;
/** Senders create ids: phones' have 20 to 32 characters, and a JID follows. */
const maxKey = 256;

type Spent = { retries: number; since: number };

/**
 * Baileys' retry counter with a budget per sender. Each retry receipt costs a stanza, a request to the phone and, from
 * the second on, a new prekey; a stranger's garbage must not cost more than a few of them. A message beyond the budget
 * is acknowledged and dropped.
 *
 * Baileys calls `get` before it requests a message again and gives up if the count is too high; `set` counts.
 */
export class RetryBudget implements PossiblyExtendedCacheStore {
  readonly #now: () => number;
  readonly #counts = new TtlCache(1000, countLifetimeMs);
  /**
   * The sender of an incoming message, by Baileys' key for it. Messages that Baileys resends to others have keys of
   * another form.
   */
  readonly #senders = new BoundedMap<string, string>(1000);
  readonly #spent = new BoundedMap<string, Spent>(1000);
  #account: Spent = { retries: 0, since: 0 };

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** A message arrived that may turn out to be undecryptable. */
  received({ attrs: { id, participant, from } }: BinaryNode): void {
    const key = `${id}:${participant}`;
    if (id !== undefined && from !== undefined && key.length <= maxKey)
      this.#senders.set(key, jidNormalizedUser(participant ?? from));
  }

  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the interface's shape
  get<T>(key: string): T | undefined {
    if (key.length > maxKey) return givenUp as T;
    const sender = this.#senders.get(key);
    return sender !== undefined && this.#isSpent(sender) ? (givenUp as T) : this.#counts.get<T>(key);
  }

  set(key: string, value: unknown): boolean {
    if (key.length > maxKey) return false;
    const sender = this.#senders.get(key);
    if (sender !== undefined) this.#charge(sender);
    return this.#counts.set(key, value);
  }

  del(key: string): void {
    this.#counts.del(key);
  }

  flushAll(): void {
    this.#counts.flushAll();
  }

  #isSpent(sender: string): boolean {
    return (
      this.#current(this.#spent.get(sender)).retries >= retriesPerSender ||
      this.#current(this.#account).retries >= retriesPerAccount
    );
  }

  #charge(sender: string): void {
    const mine = this.#current(this.#spent.get(sender));
    this.#spent.set(sender, { ...mine, retries: mine.retries + 1 });
    const all = this.#current(this.#account);
    this.#account = { ...all, retries: all.retries + 1 };
  }

  #current(spent: Spent | undefined): Spent {
    const now = this.#now();
    return spent === undefined || now - spent.since > windowMs ? { retries: 0, since: now } : spent;
  }
}
