import type { PacingLimits, PacingState, PacingStop } from "../../../lib/contracts/shard/pacing.ts";
import type { AuthStore } from "../auth/auth_store.ts";
import {
  accountPace,
  admit,
  afterRefusal,
  withoutFutureTimes,
  dayOf,
  earliest,
  earliestFirstContact,
  newPace,
  withoutWaits,
  warmthOf,
} from "./policy.ts";
import type { Standing } from "./standing.ts";
import type { AccountPace, Candidate, Held, PacingDelay } from "./policy.ts";

/** In the auth store, so that it survives restarts and moves with the login. */
const name = "pacing";

/** The account's auth store and the pacer's callbacks. The pace is archived with the login. */
export type PacerOptions = {
  store: () => AuthStore | undefined;
  /** Called when WhatsApp's refusal stops the account. */
  onStop: (stop: { holds: Held; code: string; until: number }) => void;
  now?: () => number;
  chance?: () => number;
};

/** Keeps the pace of one account. */
export class Pacer {
  readonly #options: Required<PacerOptions>;
  #known: { store: AuthStore; pace: AccountPace } | undefined;
  #limits: PacingLimits | undefined;

  constructor(options: PacerOptions) {
    this.#options = { now: Date.now, chance: Math.random, ...options };
  }

  /** Admits a message and counts it, or returns its delay. */
  admit(limits: PacingLimits, message: Pick<Candidate, "firstContact" | "bulk">): PacingDelay | undefined {
    const now = this.#options.now();
    if (this.#limits !== undefined && !sameLimits(this.#limits, limits)) this.#write(withoutWaits(this.#read(), now));
    this.#limits = limits;
    const admission = admit(withoutFutureTimes(this.#read(), limits, now), limits, {
      now,
      ...message,
      chance: this.#options.chance(),
    });
    if (!admission.admitted) return { notBefore: admission.notBefore, holds: admission.holds };
    this.#write(admission.pace);
    return undefined;
  }

  /** WhatsApp refused a message of a paced account. */
  refused(code: string): void {
    const before = this.#read();
    const after = afterRefusal(before, code, this.#options.now());
    if (after === undefined || after.pace === before) return;
    this.#write(after.pace);
    this.#options.onStop({ holds: after.holds, code, until: after.until });
  }

  /** WhatsApp's own restrictions of the account, as they were last read. */
  get standing(): Standing | undefined {
    return this.#read().standing;
  }

  /** WhatsApp restricted the account, or lifted a restriction. */
  restricted(change: Partial<Standing>): void {
    const pace = this.#read();
    const { lockedUntil = null, newChats = null, readAt = 0 } = pace.standing ?? {};
    this.#write({ ...pace, standing: { lockedUntil, newChats, readAt, ...change } });
  }

  /** Lifts all stops, on an operator's request. The next stop is as long as if this one had expired. */
  resume(): void {
    const now = this.#options.now();
    const pace = this.#read();
    const stops = Object.fromEntries(
      Object.entries(pace.stops).map(([holds, stop]) => [holds, { ...stop, until: Math.min(stop.until, now) }]),
    );
    this.#write({ ...pace, stops });
  }

  state(limits: PacingLimits): PacingState {
    const now = this.#options.now();
    const pace = withoutFutureTimes(this.#read(), limits, now);
    const later = (at: number) => (at > now ? new Date(at).toISOString() : null);
    const next = (bulk: boolean) => ({
      next_at: later(earliest(pace, limits, { now, bulk })),
      next_first_contact_at: later(earliestFirstContact(pace, limits, { now, bulk })),
    });
    return {
      warmth: warmthOf(pace, limits, now),
      ...next(false),
      broadcasts: next(true),
      first_contacts_today: dayOf(pace, now).firstContacts,
      stops: Object.entries(pace.stops).flatMap(([holds, { code, since, until }]): PacingStop[] =>
        until > now
          ? [{ holds: holds as Held, code, since: new Date(since).toISOString(), until: new Date(until).toISOString() }]
          : [],
      ),
      whatsapp: whatsappView(pace.standing),
    };
  }

  #read(): AccountPace {
    const store = this.#options.store();
    if (this.#known !== undefined && this.#known.store === store) return this.#known.pace;
    const stored = store?.read(name);
    const pace =
      stored === undefined ? newPace(this.#options.now()) : accountPace.parse(JSON.parse(stored.toString("utf8")));
    if (store !== undefined) this.#known = { store, pace };
    return pace;
  }

  #write(pace: AccountPace): void {
    const store = this.#options.store();
    if (store === undefined) return;
    store.write([[name, Buffer.from(JSON.stringify(pace))]]);
    this.#known = { store, pace };
  }
}

function whatsappView(known: Standing | undefined): PacingState["whatsapp"] {
  if (known === undefined) return null;
  const { lockedUntil, newChats, readAt } = known;
  const iso = (at: number) => new Date(at).toISOString();
  return {
    locked_until: lockedUntil === null ? null : iso(lockedUntil),
    new_chats: newChats && { total: newChats.total, used: newChats.used, resets_at: iso(newChats.until) },
    read_at: readAt === 0 ? null : iso(readAt),
  };
}

function sameLimits(one: PacingLimits, other: PacingLimits): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
