import { jidNormalizedUser } from "@whiskeysockets/baileys";
import type { BinaryNode, PossiblyExtendedCacheStore } from "@whiskeysockets/baileys";
import { BoundedMap } from "../../../lib/core/bounded_map.ts";
import { TtlCache } from "./ttl_cache.ts";

/** How often a sender may be asked for messages again within the window, and all senders of an account together. */
const asksPerSender = 10;
const asksPerAccount = 300;
const windowMs = 10 * 60_000;
/** How often Baileys asks for one message, or sends one again: beyond it, it gives up. */
const countLifetimeMs = 3_600_000;
const givenUp = Number.MAX_SAFE_INTEGER;

type Spent = { asks: number; since: number };

/**
 * Baileys' counter of retries, with a budget per sender. Each retry receipt costs a stanza, a request to the phone and,
 * from the second on, a new prekey; garbage from a stranger must not cost more than a few of them. A message beyond the
 * budget is acknowledged and dropped.
 *
 * Baileys asks `get` before it asks for a message again, and gives up where the count is too high; `set` counts.
 */
export class RetryBudget implements PossiblyExtendedCacheStore {
  readonly #now: () => number;
  readonly #counts = new TtlCache(1000, countLifetimeMs);
  /** Who sent an incoming message, by Baileys' key for it. What Baileys resends for others has a key of another form. */
  readonly #senders = new BoundedMap<string, string>(1000);
  readonly #spent = new BoundedMap<string, Spent>(1000);
  #account: Spent = { asks: 0, since: 0 };

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** A message came that may turn out to be undecryptable. */
  received({ attrs: { id, participant, from } }: BinaryNode): void {
    if (id !== undefined && from !== undefined)
      this.#senders.set(`${id}:${participant}`, jidNormalizedUser(participant ?? from));
  }

  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the interface's shape
  get<T>(key: string): T | undefined {
    const sender = this.#senders.get(key);
    return sender !== undefined && this.#isSpent(sender) ? (givenUp as T) : this.#counts.get<T>(key);
  }

  set(key: string, value: unknown): boolean {
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
      this.#current(this.#spent.get(sender)).asks >= asksPerSender ||
      this.#current(this.#account).asks >= asksPerAccount
    );
  }

  #charge(sender: string): void {
    const mine = this.#current(this.#spent.get(sender));
    this.#spent.set(sender, { ...mine, asks: mine.asks + 1 });
    const all = this.#current(this.#account);
    this.#account = { ...all, asks: all.asks + 1 };
  }

  #current(spent: Spent | undefined): Spent {
    const now = this.#now();
    return spent === undefined || now - spent.since > windowMs ? { asks: 0, since: now } : spent;
  }
}
