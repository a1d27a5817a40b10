import type { Contact, SignalDataSet, SignalKeyStore } from "@whiskeysockets/baileys";
import { BoundedMap } from "../../../lib/core/bounded_map.ts";
import { ownSenderKeys } from "../codec/sender_key_names.ts";

/** Groups that are remembered as prepared. */
const preparedGroups = 1_000;

type Options = {
  keys: SignalKeyStore;
  /** The business's own account, once paired. */
  me: () => Contact | undefined;
  /** When a message was first handed to a session of this business, Unix ms. */
  handedAt: (waMessageId: string) => number | undefined;
};

/** Decides when a group's members get the sender key again. Baileys gives it to each member once. */
export class SenderKeys {
  readonly #options: Options;
  /** Groups to which this connection has prepared a message. Their sender key needs no repetition. */
  readonly #prepared = new BoundedMap<string, true>(preparedGroups);
  readonly #startedAt = Date.now();

  constructor(options: Options) {
    this.#options = options;
  }

  /**
   * Baileys records the sender key as given once a message is prepared. If an earlier connection was lost with the
   * message, the key is too: a group's first message over this connection carries it again if it is a repetition.
   */
  async repeat(group: string, waMessageId: string): Promise<void> {
    if (this.#prepared.get(group)) return;
    this.#prepared.set(group, true);
    const handedAt = this.#options.handedAt(waMessageId);
    if (handedAt !== undefined && handedAt < this.#startedAt) await this.giveAgain(group);
  }

  /** The next message carries the sender key to every member. */
  async giveAgain(group: string): Promise<void> {
    await this.#set({ "sender-key-memory": { [group]: null } });
  }

  /** A former member must not read later messages: the next message creates a new sender key. */
  async renew(group: string): Promise<void> {
    const { id, lid } = this.#options.me() ?? {};
    const own = Object.fromEntries(ownSenderKeys(group, [id, lid]).map((name) => [name, null]));
    await this.#set({ "sender-key": own, "sender-key-memory": { [group]: null } });
  }

  async #set(data: SignalDataSet): Promise<void> {
    await this.#options.keys.set(data);
  }
}
