import { isJidGroup, isPnUser, jidDecode } from "@whiskeysockets/baileys";
import type {
  BinaryNode,
  Contact,
  MessageRelayOptions,
  proto,
  SignalDataSet,
  SignalKeyStore,
  WASocket,
} from "@whiskeysockets/baileys";
import { GroupDirectory } from "../codec/group_directory.ts";
import { ownJidsOf } from "../codec/jid.ts";
import { withMemberNames } from "../codec/member_names.ts";
import { stanzaOptions } from "../codec/outgoing.ts";
import { ownSenderKeys } from "../codec/sender_key_names.ts";
import type { ConnectionControl } from "../session/connection_options.ts";
import { TtlCache } from "../session/ttl_cache.ts";
import type { Transmit } from "./lane.ts";
import { Undeliverable } from "./errors.ts";
import { QueryCooldown } from "./query_cooldown.ts";

const devicesTtlMs = 5 * 60_000;
/** An acknowledgement's code: the group's addressing mode, or a list of devices, is out of date. */
const staleAddressing = "421";

type Options = {
  /** Baileys' socket. It is created after this object, because its configuration refers to the caches here. */
  socket: () => WASocket;
  keys: SignalKeyStore;
  /** The business's own account, once paired. */
  me: () => Contact | undefined;
  control: ConnectionControl;
};

/** `transmit`, which our patch adds, sends the message's stanza. */
type RelayOptions = MessageRelayOptions & { transmit: (stanza: BinaryNode) => Promise<void> };

/**
 * Hands messages to WhatsApp over one connection. Looks up the accounts, devices and groups that WhatsApp requires
 * first.
 */
export class Relay {
  readonly groups = new GroupDirectory((group) => this.#options.socket().groupMetadata(group));
  /** The devices of each user, as WhatsApp listed them. */
  readonly devices = new TtlCache(1000, devicesTtlMs);
  readonly #options: Options;
  readonly #cooldown = new QueryCooldown();

  constructor(options: Options) {
    this.#options = options;
  }

  /**
   * Prepares one message for WhatsApp and passes it to `transmit`. Resolves then, not when it was acknowledged.
   * @throws Undeliverable if the number has no WhatsApp account, since WhatsApp drops such a message silently, or if
   *   the business is not in the group. Any other error says nothing about the message.
   */
  async send(chat: string, message: proto.IMessage, waMessageId: string, transmit: Transmit): Promise<void> {
    if (this.#cooldown.isActive && (await this.#needsQuery(chat))) this.#cooldown.refuse();
    try {
      await this.#send(chat, message, waMessageId, transmit);
      this.#cooldown.succeeded();
    } catch (error) {
      this.#cooldown.failed(error);
      throw error;
    }
  }

  async #send(chat: string, message: proto.IMessage, waMessageId: string, transmit: Transmit): Promise<void> {
    const { socket, me } = this.#options;
    if (isPnUser(chat) && !(await this.#hasAccount(chat))) throw noAccount();
    if (!isJidGroup(chat)) await this.#assertDevices(chat);
    if (isJidGroup(chat)) message = withMemberNames(message, await this.groups.of(chat), ownJidsOf(me()));
    const options: RelayOptions = {
      messageId: waMessageId,
      ...stanzaOptions(message),
      transmit: (stanza) => transmit(() => socket().sendNode(stanza)),
    };
    await socket().relayMessage(chat, message, options);
  }

  /** True if this chat has earlier messages, in either direction. A group counts: it admitted the business. */
  async isAcquainted(chat: string): Promise<boolean> {
    return isJidGroup(chat) || (await this.#options.socket().signalRepository.validateSession(chat)).exists;
  }

  /** A group's members or settings changed. */
  groupChanged({ attrs: { from: group }, content }: BinaryNode): void {
    if (group === undefined) return;
    this.groups.forget(group);
    const left = Array.isArray(content) && content.some(({ tag }) => tag === "remove" || tag === "leave");
    if (!left) return;
    const { id, lid } = this.#options.me() ?? {};
    this.#options.control.holdOutput(this.#renewSenderKey(group, ownSenderKeys(group, [id, lid])));
  }

  /** WhatsApp refused a message. */
  refused(chat: string | undefined, code: string): void {
    if (chat === undefined) return;
    if (code === staleAddressing) {
      if (isJidGroup(chat)) this.groups.forget(chat);
      this.devices.flushAll();
    }
    // The message carried the sender key to new members, who did not receive it: the next one carries it again.
    if (isJidGroup(chat)) {
      this.#options.control.holdOutput(this.#set({ "sender-key-memory": { [chat]: null } }));
    }
  }

  /** A former member must not read later messages: the next message creates a new sender key. */
  async #renewSenderKey(group: string, names: string[]): Promise<void> {
    const own = Object.fromEntries(names.map((name) => [name, null]));
    await this.#set({ "sender-key": own, "sender-key-memory": { [group]: null } });
  }

  async #set(data: SignalDataSet): Promise<void> {
    await this.#options.keys.set(data);
  }

  /** True if a message to this chat requires a query first: the members of the group, or the devices of a person. */
  async #needsQuery(chat: string): Promise<boolean> {
    if (isJidGroup(chat)) return !this.groups.has(chat);
    const { user } = jidDecode(chat) ?? {};
    if (user === undefined || this.devices.get(user) === undefined) return true;
    return isPnUser(chat) === true && (await this.#lidOf(user)) === undefined;
  }

  /** Queries WhatsApp once for each contact: an account has a LID, and the store keeps it. */
  async #hasAccount(chat: string): Promise<boolean> {
    const { user } = jidDecode(chat) ?? {};
    if (user === undefined) return false;
    return (await this.#lidOf(user)) !== undefined || this.#isOnWhatsApp(user);
  }

  async #lidOf(user: string): Promise<string | undefined> {
    return (await this.#options.keys.get("lid-mapping", [user]))[user];
  }

  async #isOnWhatsApp(user: string): Promise<boolean> {
    const found = await this.#options.socket().onWhatsApp(user);
    if (found === undefined) throw new Error("WhatsApp did not answer whether the number has an account");
    return found.some(({ exists }) => exists);
  }

  /**
   * Throws if the recipient has no device: Baileys would encrypt the message for no one, and WhatsApp's server accepts
   * that. The device list is cached, since Baileys needs it again. An empty list may also mean that WhatsApp did not
   * answer; a second query distinguishes the two.
   */
  async #assertDevices(chat: string): Promise<void> {
    if ((await this.#options.socket().getUSyncDevices([chat], true, false)).length > 0) return;
    const { user } = jidDecode(chat) ?? {};
    if (isPnUser(chat) && user !== undefined && !(await this.#isOnWhatsApp(user))) throw noAccount();
    throw new Error("WhatsApp names no device of this number");
  }
}

function noAccount(): Undeliverable {
  return new Undeliverable("not_on_whatsapp", "The number has no WhatsApp account.");
}
