import { isJidGroup, isLidUser, isPnUser, jidDecode } from "@whiskeysockets/baileys";
import type { SignalDataSet } from "@whiskeysockets/baileys";
import type { AccountName } from "../../../lib/contracts/shard/schemas.ts";
import type { AuthState } from "../auth/auth_state.ts";
import { lidJid, phoneJid, preferPhone } from "../codec/jid.ts";

/*
 * An account has several names at WhatsApp: its phone number, other spellings of it, and its LID. The chat of an
 * account is its phone number as WhatsApp itself writes it, or its LID as long as no number is known.
 *
 * Names are learned only from WhatsApp's server (attributes of stanzas, answers to queries, rosters of groups) and from
 * the business's own phone. The content of a contact's message is never a source: anyone could claim the number of
 * another. Baileys' `lid-mapping` store has the same sources: Baileys drops a mapping that another account sends.
 */

/** The type of the store's values that map a spelling of a number to the number of the account. */
const spellings = "account-spelling";

/**
 * The type of the store's values that map a name to its chat until the journal has the name. Each is in the commit that
 * stores the name itself, or in an earlier one: a process that is killed in between announces the name after a restart.
 */
export const unannounced = "account-unannounced";

/** The names of accounts, for reading. */
export type AccountNames = Pick<AccountBook, "chatOf" | "namesOf">;

/** Knows no account by another name. */
export const noAccountNames: AccountNames = { chatOf: (jid) => preferPhone(jid, undefined), namesOf: (jid) => [jid] };

export type AccountBookOptions = {
  auth: Pick<AuthState, "keys" | "lookUp">;
  /** Called with names that were not known before. Resolves once the journal has them. */
  announce: (names: AccountName[]) => Promise<void>;
};

/** The names of accounts, as one login knows them. Kept in its auth store, so that they survive restarts and moves. */
export class AccountBook {
  readonly #options: AccountBookOptions;
  /** By alias: the chats of names that this book learned and the journal lacks. */
  readonly #learned = new Map<string, string>();

  constructor(options: AccountBookOptions) {
    this.#options = options;
  }

  /** The chat of the account that has this name. Groups are returned as they are. */
  chatOf(jid: string): string {
    const name = preferPhone(jid, undefined);
    const { user } = jidDecode(name) ?? {};
    if (user === undefined) return name;
    const number = isLidUser(name) ? this.#numberOf(user) : isPnUser(name) ? this.#spelled(user) : undefined;
    return number === undefined ? name : phoneJid(number);
  }

  /** The chat of the account and, if known, its LID. */
  namesOf(jid: string): string[] {
    const chat = this.chatOf(jid);
    const { user } = jidDecode(chat) ?? {};
    const lid = isPnUser(chat) && user !== undefined ? this.#options.auth.lookUp("lid-mapping", user) : undefined;
    return typeof lid === "string" ? [chat, lidJid(lid)] : [chat];
  }

  /**
   * True if two names are certainly of different chats: of two groups, of a group and a person, or of two people whose
   * LIDs are known.
   */
  areDifferent(one: string, other: string): boolean {
    const [names, others] = [this.namesOf(one), this.namesOf(other)];
    if (names.some((name) => others.includes(name))) return false;
    // No account is a group, whatever names of it are known.
    if ([...names, ...others].some((name) => isJidGroup(name))) return true;
    return [names, others].every((known) => known.some((name) => isLidUser(name)));
  }

  /** The names that map to another chat, among those of one account. */
  aliasesAmong(names: readonly (string | null | undefined)[]): AccountName[] {
    return names.flatMap((name) => {
      if (!name) return [];
      const alias = preferPhone(name, undefined);
      const chat = this.chatOf(alias);
      return chat === alias ? [] : [{ alias, chat }];
    });
  }

  /** New entries of Baileys' `lid-mapping` store are about to be written. */
  mapped(entries: SignalDataSet["lid-mapping"]): void {
    const names: AccountName[] = [];
    const real: Record<string, null> = {};
    for (const [key, number] of Object.entries(entries ?? {})) {
      if (!key.endsWith("_reverse") || typeof number !== "string") continue;
      names.push({ alias: lidJid(key.slice(0, -"_reverse".length)), chat: phoneJid(number) });
      // A number that has an account of its own is no longer a spelling of another.
      if (this.#spelled(number) !== undefined) real[number] = null;
    }
    if (names.length > 0) this.#learn(names, real);
  }

  /** WhatsApp answered that the account of a number is spelled differently. */
  respelled(asked: string, account: string): void {
    // The digits of a LID are no number.
    if (!isPnUser(asked) || !isPnUser(account)) return;
    const [from, to] = [jidDecode(asked)?.user, jidDecode(account)?.user];
    if (from === undefined || to === undefined || from === to || this.#spelled(from) === to) return;
    this.#learn([{ alias: phoneJid(from), chat: phoneJid(to) }], { [from]: to, [to]: null });
  }

  /** The names among these whose announcement an earlier connection left undone. */
  unannouncedAmong(aliases: readonly string[]): AccountName[] {
    return aliases.flatMap((alias) => {
      if (this.#learned.has(alias)) return [];
      const chat = this.#options.auth.lookUp(unannounced, alias);
      return typeof chat === "string" ? [{ alias, chat }] : [];
    });
  }

  /** The journal has these names. */
  announced(names: readonly AccountName[]): void {
    // A name that got another chat since then has an announcement of its own.
    const done = names.filter(({ alias, chat }) => (this.#learned.get(alias) ?? chat) === chat);
    for (const { alias } of done) this.#learned.delete(alias);
    if (done.length > 0) this.#set({ [unannounced]: Object.fromEntries(done.map(({ alias }) => [alias, null])) });
  }

  #numberOf(lid: string): string | undefined {
    const number = this.#options.auth.lookUp("lid-mapping", `${lid}_reverse`);
    return typeof number === "string" ? number : undefined;
  }

  #spelled(number: string): string | undefined {
    const account = this.#options.auth.lookUp(spellings, number);
    return typeof account === "string" ? account : undefined;
  }

  #learn(names: AccountName[], spelled: Record<string, string | null>): void {
    this.#set({
      [spellings]: spelled,
      [unannounced]: Object.fromEntries(names.map(({ alias, chat }) => [alias, chat])),
    });
    for (const { alias, chat } of names) this.#learned.set(alias, chat);
    this.#options
      .announce(names)
      .then(() => this.announced(names))
      // The connection has ended, perhaps with this fault. The next one announces the names.
      .catch(() => {});
  }

  #set(data: Record<string, Record<string, string | null>>): void {
    void this.#options.auth.keys.set(data);
  }
}
