import { isJidGroup, isPnUser, jidDecode, jidNormalizedUser } from "@whiskeysockets/baileys";
import type { SignalKeyStore } from "@whiskeysockets/baileys";
import { BoundedMap } from "../../../lib/core/bounded_map.ts";
import type { AuthStore } from "../auth/auth_store.ts";
import { lidJid } from "../codec/jid.ts";

const cachedChats = 500;

type Options = { store: () => Pick<AuthStore, "read" | "write"> | undefined; keys: SignalKeyStore };

/**
 * The timers of chats whose messages disappear, in seconds. Kept in the auth store, so that they survive restarts and
 * moves. A group's timer is in its metadata.
 */
export class Timers {
  readonly #options: Options;
  readonly #known = new BoundedMap<string, number>(cachedChats);

  constructor(options: Options) {
    this.#options = options;
  }

  async of(chat: string): Promise<number> {
    return isJidGroup(chat) ? 0 : this.#read(await this.#nameOf(chat));
  }

  /** A message of the chat showed its timer. */
  async note(chat: string, seconds: number): Promise<void> {
    if (isJidGroup(chat)) return;
    const name = await this.#nameOf(chat);
    if (this.#read(name) === seconds) return;
    this.#options.store()?.write([[name, seconds === 0 ? null : Buffer.from(String(seconds))]]);
    this.#known.set(name, seconds);
  }

  #read(name: string): number {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const stored = this.#options.store()?.read(name);
    const seconds = stored === undefined ? 0 : Number(stored.toString("utf8")) || 0;
    this.#known.set(name, seconds);
    return seconds;
  }

  /** One entry for both names of a contact: under its LID, if it is known. */
  async #nameOf(chat: string): Promise<string> {
    const { user } = jidDecode(chat) ?? {};
    const lid =
      isPnUser(chat) && user !== undefined ? (await this.#options.keys.get("lid-mapping", [user]))[user] : undefined;
    return `timer:${lid === undefined ? jidNormalizedUser(chat) : lidJid(lid)}`;
  }
}
