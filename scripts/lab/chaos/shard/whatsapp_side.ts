import type { LedgerEntry, LedgerEvent } from "../../../../services/simulator/whatsapp/ledger.ts";
import type { Screen, Shown, SimulatorControl } from "../../rig/simulator.ts";

/** Codes of refusals after which WhatsApp never accepts the message. Independent of the shard's table. */
const finalCodes: ReadonlySet<string> = new Set(["404", "463"]);

type EntryOf<E extends LedgerEvent["event"]> = Extract<LedgerEntry, { event: E }>;

/** Between a refusal and the end of a shard that is killed before it has recorded it: one that waits for its disk. */
const unheardMs = 10_000;

/** The state of WhatsApp's side after a run: the simulator's ledger, accounts and phones. */
export class WhatsAppSide {
  readonly #simulator: SimulatorControl;
  readonly #entries: Map<string, LedgerEntry[]>;
  readonly #finallyRefused = new Set<string>();
  /** Refused with a final code on a connection that ended just after: the shard may not have the answer. */
  readonly #perhapsUnheard = new Set<string>();
  readonly #denied = new Set<string>();
  /** The number of each account, by its LID and by other spellings. */
  readonly #numbers = new Map<string, string>();
  readonly #screens = new Map<string, Promise<Screen>>();

  private constructor(simulator: SimulatorControl, entries: readonly LedgerEntry[], phones: readonly PhoneView[]) {
    this.#simulator = simulator;
    this.#entries = Map.groupBy(entries, ({ event }) => event);
    for (const { id, code, phone, at } of this.all("refused"))
      if (finalCodes.has(code))
        (this.endedWithin(phone, at, unheardMs) ? this.#perhapsUnheard : this.#finallyRefused).add(id);
    for (const { number } of this.all("denied")) this.#denied.add(number);
    for (const { phone, lid, spellings } of phones) {
      this.#numbers.set(`${lid}@lid`, phone);
      for (const spelling of spellings) this.#numbers.set(`${spelling}@s.whatsapp.net`, phone);
    }
  }

  static async read(simulator: SimulatorControl): Promise<WhatsAppSide> {
    const entries: LedgerEntry[] = [];
    for (;;) {
      const after = entries.at(-1)?.seq ?? 0;
      const { data } = await simulator.ask<{ data: LedgerEntry[] }>("GET", `/ledger?after=${after}`);
      if (data.length === 0) break;
      entries.push(...data);
    }
    const { data: phones } = await simulator.ask<{ data: PhoneView[] }>("GET", "/phones");
    return new WhatsAppSide(simulator, entries, phones);
  }

  all<E extends LedgerEvent["event"]>(event: E): EntryOf<E>[] {
    return (this.#entries.get(event) ?? []) as EntryOf<E>[];
  }

  has<E extends LedgerEvent["event"]>(event: E, matches: (entry: EntryOf<E>) => boolean): boolean {
    return this.all(event).some(matches);
  }

  /** The number of a user's JID; undefined for a group or a LID that no account has. */
  accountOf(jid: string): string | undefined {
    const named = this.#numbers.get(jid);
    if (named !== undefined) return named;
    return jid.endsWith("@s.whatsapp.net") ? jid.slice(0, jid.indexOf("@")) : undefined;
  }

  /**
   * True if WhatsApp refused the message with a final code, or denied that its receiver has an account. If the answer
   * may have been lost, the shard may have sent the message again; then the error code of its row decides.
   */
  finallyRefused({ waId, chat, error }: { waId: string; chat: string; error: string | null }): boolean {
    if (this.#finallyRefused.has(waId)) return true;
    if (this.#perhapsUnheard.has(waId)) return error !== null;
    return error === "not_on_whatsapp" && this.#denied.has(this.accountOf(chat) ?? "");
  }

  /** True if a connection of the account ended in the `ms` after `at`. */
  endedWithin(phone: string, at: number, ms: number): boolean {
    return this.has("ended", (entry) => entry.phone === phone && entry.at >= at && entry.at <= at + ms);
  }

  /** When a message was refused, and when connections of its account ended, from a minute before on. */
  refusalTimes(waId: string): string {
    const refusals = this.all("refused").filter(({ id }) => id === waId);
    const [first] = refusals;
    if (first === undefined) return "never refused";
    const near = ({ phone, at }: LedgerEntry) => phone === first.phone && Math.abs(at - first.at) < 60_000;
    const times = [...refusals, ...this.all("ended").filter(near)].toSorted((a, b) => a.seq - b.seq);
    return times.map(({ event, at }) => `${event} ${clockTime(at)}`).join(", ");
  }

  /** The messages that a phone received, in order. */
  async shown(phone: string): Promise<Shown[]> {
    const known = this.#screens.get(phone) ?? this.#simulator.screen(phone);
    this.#screens.set(phone, known);
    return (await known).data.filter(({ from_me }) => !from_me);
  }
}

/** The time of day of a moment, with ms. */
export const clockTime = (at: number): string => new Date(at).toISOString().slice(11, 23);

type PhoneView = { phone: string; lid: string; spellings: string[] };
