import { getBinaryNodeChild, isJidGroup, isPnUser, jidDecode, jidEncode } from "@whiskeysockets/baileys";
import type {
  BinaryNode,
  Contact,
  FullJid,
  GroupMetadata,
  JidServer,
  MessageRelayOptions,
  proto,
  SignalKeyStore,
  WASocket,
} from "@whiskeysockets/baileys";
import type { AccountBook } from "../accounts/account_book.ts";
import { askAccounts } from "../accounts/ask_accounts.ts";
import { withTimer } from "../codec/disappearing.ts";
import { GroupDirectory } from "../codec/group_directory.ts";
import { lidJid, ownJidsOf } from "../codec/jid.ts";
import { withMemberNames } from "../codec/member_names.ts";
import { stanzaOptions } from "../codec/outgoing.ts";
import type { StanzaOptions } from "../codec/outgoing.ts";
import type { ConnectionControl } from "../session/connection_options.ts";
import { TtlCache } from "../session/ttl_cache.ts";
import type { Transmit } from "./lane_options.ts";
import type { Timers } from "./timers.ts";
import { addContactToken } from "./contact_salt.ts";
import { answered, noAnswer, NoAnswer } from "./answered.ts";
import { backoffOf } from "./cooldown.ts";
import type { Cooldown } from "./cooldown.ts";
import { OtherName, Transient, Undeliverable } from "./errors.ts";
import { SenderKeys } from "./sender_keys.ts";
import { passingQuery } from "./verdicts.ts";

const refreshTtlMs = 60_000;
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
  accounts: AccountBook;
  queries: Cooldown;
  timers: Timers;
  /** The salt of the tokens for new contacts, if the phone has shared it. */
  contactSalt: () => Uint8Array | undefined;
  /** When a message was first handed to a session of this business, Unix ms. */
  handedAt: (waMessageId: string) => number | undefined;
  /** Records the number of members that a group message is about to be sent to. */
  setRecipients: (waMessageId: string, recipients: number) => Promise<void>;
};

/** As Baileys caches them. */
type CachedDevice = FullJid & { server: JidServer };

/** `transmit`, which our patch adds, sends the message's stanza. */
type RelayOptions = MessageRelayOptions & { transmit: (stanza: BinaryNode) => Promise<void> };

/**
 * Hands messages to WhatsApp over one connection. Looks up the accounts, devices and groups that WhatsApp requires
 * first.
 */
export class Relay {
  readonly groups = new GroupDirectory((group) => answered(this.#options.socket().groupMetadata(group)));
  /** The devices of each user, as WhatsApp listed them. */
  readonly devices = new TtlCache(1000, devicesTtlMs);
  readonly #options: Options;
  /** The chats whose devices were forgotten lately. */
  readonly #refreshed = new TtlCache(500, refreshTtlMs);
  readonly #senderKeys: SenderKeys;
  /** The wait that WhatsApp named when it refused the last query. */
  #backoffMs: number | undefined;

  constructor(options: Options) {
    this.#options = options;
    this.#senderKeys = new SenderKeys(options);
  }

  /**
   * Prepares one message for WhatsApp and passes it to `transmit`. Resolves then, not when it was acknowledged.
   * @throws Undeliverable if the number has no WhatsApp account, since WhatsApp drops such a message silently, or if
   *   the business is not in the group. Transient if WhatsApp refused a query for now or did not answer it. OtherName
   *   if the account has another JID. Any other error says nothing about the message.
   */
  async send(chat: string, message: proto.IMessage, waMessageId: string, transmit: Transmit): Promise<void> {
    const { queries, control } = this.#options;
    const asks = queries.hasRefusals && (await this.#needsQuery(chat));
    if (asks && queries.isActive)
      throw new Transient("query_refused", "WhatsApp refuses queries for now; the next one waits.", queries.waitMs);
    const began = Date.now();
    try {
      await this.#send(chat, message, waMessageId, transmit);
      if (asks) queries.succeeded();
    } catch (error) {
      const code = passingQuery(error);
      if (code === undefined) throw error;
      if (code === noAnswer) control.endIfSilentSince(began);
      const backoffMs = this.#backoffMs;
      this.#backoffMs = undefined;
      throw new Transient(`${code}`, `WhatsApp refused a query for now (${code}).`, queries.refused(backoffMs));
    }
  }

  /** WhatsApp refused a query. */
  queryRefused(stanza: BinaryNode): void {
    this.#backoffMs = backoffOf(getBinaryNodeChild(stanza, "error")?.attrs);
  }

  async #send(chat: string, message: proto.IMessage, waMessageId: string, transmit: Transmit): Promise<void> {
    const { socket, control, setRecipients } = this.#options;
    if (isJidGroup(chat)) {
      const group = await this.groups.of(chat);
      await this.#loadDevices(group);
      await this.#senderKeys.repeat(chat, waMessageId);
      // Durable before the message leaves: its receipts may arrive at another process.
      control.holdOutput(setRecipients(waMessageId, group.participants.length - 1));
    } else {
      if (isPnUser(chat) && !(await this.#hasAccount(chat))) throw noAccount();
      await this.#assertDevices(chat);
    }
    message = await this.#completed(chat, message);
    const options: RelayOptions = {
      messageId: waMessageId,
      ...stanzaOptions(message),
      transmit: async (stanza) => {
        await this.#addContactToken(stanza, chat);
        return transmit(() => socket().sendNode(stanza));
      },
    };
    await socket().relayMessage(chat, message, options);
  }

  /** A message of the ledger, for a device that could not decrypt it. Left as it is if the group cannot be queried. */
  async again(chat: string, message: proto.IMessage): Promise<proto.IMessage> {
    return this.#completed(chat, message).catch(() => message);
  }

  /** The parts outside the encryption of a message that is sent again. */
  async resendOptions(chat: string, message: proto.IMessage): Promise<StanzaOptions> {
    const options = stanzaOptions(message);
    if (!isJidGroup(chat)) return options;
    const { addressingMode = "lid" } = await this.groups.of(chat).catch((): Partial<GroupMetadata> => ({}));
    return {
      ...options,
      additionalAttributes: { ...options.additionalAttributes, addressing_mode: addressingMode },
    };
  }

  /** Gives a message the timer of its chat and, in a group, the names by which the group knows its members. */
  async #completed(chat: string, message: proto.IMessage): Promise<proto.IMessage> {
    if (!isJidGroup(chat)) return withTimer(message, await this.#options.timers.of(chat));
    const group = await this.groups.of(chat);
    return withTimer(withMemberNames(message, group, ownJidsOf(this.#options.me())), group.ephemeralDuration ?? 0);
  }

  /** WhatsApp Web too adds the token only while the server wants tokens. */
  async #addContactToken(stanza: BinaryNode, chat: string): Promise<void> {
    const { socket, me, contactSalt } = this.#options;
    const salt = isJidGroup(chat) || ownJidsOf(me()).includes(chat) ? undefined : contactSalt();
    if (salt === undefined || !socket().serverProps.privacyTokenOn1to1) return;
    const { user } = jidDecode(chat) ?? {};
    const lid = isPnUser(chat) && user !== undefined ? await this.#lidOf(user) : user;
    if (lid !== undefined) addContactToken(stanza, salt, lidJid(lid));
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
    if (left) this.#options.control.holdOutput(this.#senderKeys.renew(group));
  }

  /** WhatsApp refused a message. */
  refused(chat: string | undefined, code: string): void {
    if (chat === undefined) return;
    if (code === staleAddressing) {
      if (isJidGroup(chat)) this.groups.forget(chat);
      this.devices.flushAll();
    }
    // The message carried the sender key to new members, who did not receive it: the next one carries it again.
    if (isJidGroup(chat)) this.#options.control.holdOutput(this.#senderKeys.giveAgain(chat));
  }

  /**
   * WhatsApp accepted a message and named the hash of a device list that differs from the cached one. Forgets the
   * devices of the chat and of the business, at most once a minute for each chat, because WhatsApp may count devices
   * that its list of devices lacks.
   */
  devicesChanged(chat: string | undefined): void {
    if (chat === undefined || this.#refreshed.get(chat) !== undefined) return;
    this.#refreshed.set(chat, true);
    if (isJidGroup(chat)) {
      this.groups.forget(chat);
      this.devices.flushAll();
      return;
    }
    for (const name of [chat, ...ownJidsOf(this.#options.me())]) {
      const { user } = jidDecode(name) ?? {};
      if (user !== undefined) this.devices.del(user);
    }
  }

  /** True if a message to this chat requires a query: for the members of a group, for devices, or for their keys. */
  async #needsQuery(chat: string): Promise<boolean> {
    const { keys, me } = this.#options;
    if (!isJidGroup(chat)) return this.#lackKeys([chat, ...ownJidsOf(me()).slice(0, 1)]);
    if (!this.groups.has(chat)) return true;
    const { participants } = await this.groups.of(chat);
    const given = (await keys.get("sender-key-memory", [chat]))[chat];
    return this.#lackKeys(
      participants.map(({ id }) => id),
      given,
    );
  }

  /** True if a user's devices are unknown, or if one of them has neither a Signal session nor the group's key. */
  async #lackKeys(users: string[], given: Record<string, boolean> = {}): Promise<boolean> {
    const { signalRepository } = this.#options.socket();
    for (const name of users) {
      const devices = this.#devicesOf(name);
      if (devices === undefined) return true;
      for (const jid of devices) {
        if (!given[jid] && !(await signalRepository.validateSession(jid)).exists) return true;
      }
    }
    return false;
  }

  /** The devices of a user other than this one; undefined if WhatsApp has to be asked. */
  #devicesOf(name: string): string[] | undefined {
    const { user } = jidDecode(name) ?? {};
    const own = jidDecode(this.#options.me()?.id);
    return (user === undefined ? undefined : this.devices.get<CachedDevice[]>(user))
      ?.filter((device) => device.user !== own?.user || device.device !== own.device)
      .map((device) => jidEncode(device.user, device.server, device.device));
  }

  /** Looks the devices of a group's members up before the message is prepared, which holds the account's lock. */
  async #loadDevices({ participants }: GroupMetadata): Promise<void> {
    const unknown = participants.map(({ id }) => id).filter((id) => this.#devicesOf(id) === undefined);
    if (unknown.length > 0) await answered(this.#options.socket().getUSyncDevices(unknown, true, false));
  }

  /** Queries WhatsApp once for each contact: an account has devices and mostly a LID, and the store keeps it. */
  async #hasAccount(chat: string): Promise<boolean> {
    const { user } = jidDecode(chat) ?? {};
    if (user === undefined) return false;
    const known = this.devices.get(user) !== undefined || (await this.#lidOf(user)) !== undefined;
    if (known) return true;
    const account = await this.#accountOf(user);
    if (account === null) return false;
    this.#options.accounts.respelled(chat, account);
    const name = this.#options.accounts.chatOf(chat);
    if (name !== chat) throw new OtherName(name);
    return true;
  }

  async #lidOf(user: string): Promise<string | undefined> {
    return (await this.#options.keys.get("lid-mapping", [user]))[user];
  }

  /** The JID of a number's account; null if it has none. */
  async #accountOf(user: string): Promise<string | null> {
    const found = await answered(askAccounts(this.#options.socket(), [user]));
    if (found === undefined) throw new NoAnswer();
    return found.get(user) ?? null;
  }

  /**
   * Throws if the recipient has no device: Baileys would encrypt the message for no one, and WhatsApp's server accepts
   * that. The device list is cached, since Baileys needs it again. An account that WhatsApp lists without devices is a
   * failure of this message alone: WhatsApp answered, so the account's other queries need not wait.
   */
  async #assertDevices(chat: string): Promise<void> {
    if ((await answered(this.#options.socket().getUSyncDevices([chat], true, false))).length > 0) return;
    const { user } = jidDecode(chat) ?? {};
    if (isPnUser(chat) && user !== undefined && (await this.#accountOf(user)) === null) throw noAccount();
    throw new Error("WhatsApp lists no device of this account");
  }
}

function noAccount(): Undeliverable {
  return new Undeliverable("not_on_whatsapp", "The number has no WhatsApp account.");
}
