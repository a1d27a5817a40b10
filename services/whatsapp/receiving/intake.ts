import { isJidGroup, isLidUser, jidNormalizedUser } from "@whiskeysockets/baileys";
import type { BinaryNode, Contact, WASocket } from "@whiskeysockets/baileys";
import { messageOf } from "../../../lib/core/errors.ts";
import { yieldToLoop } from "../../../lib/core/loop_budget.ts";
import type { InboundData, ReceiptData } from "../../../lib/contracts/shard/schemas.ts";
import { startTrace, within } from "../../../lib/tracing/index.ts";
import type { MessageContent } from "../../../lib/messages/index.ts";
import type { AccountBook } from "../accounts/account_book.ts";
import { nameRecipientOnly } from "../accounts/addressing.ts";
import { truncate, maxLoggedError, maxLoggedId } from "../codec/bounds.ts";
import { ownJidsOf } from "../codec/jid.ts";
import type { ConnectionControl, ConnectionOptions } from "../session/connection_options.ts";
import { unknownName } from "../session/protocol.ts";
import { RetryBudget } from "../session/retry_budget.ts";
import { ConnectionClosed } from "../session/survivable.ts";
import { Attempts } from "./attempts.ts";
import type { Attempt } from "./attempts.ts";
import { AwaitedContent } from "./awaited_content.ts";
import { decodePlaintext, envelopeOf } from "./decoder.ts";
import type { Decoded, DecodedPlaintext } from "./decoder.ts";
import { inboundWithout } from "./inbound.ts";
import { missingContent } from "./placeholders.ts";
import type { Missing } from "./placeholders.ts";
import { limitRetry, receiptsOf } from "./receipts.ts";
import { untilDurable } from "./until_durable.ts";

/** A group message has two: the message, and the sender key to it. */
const maxCiphertexts = 4;
/** Receipts journaled before the event loop may run other work. WhatsApp names fewer in one stanza. */
const receiptsPerSlice = 250;

type Options = Pick<
  ConnectionOptions,
  | "businessId"
  | "placeholders"
  | "history"
  | "timers"
  | "statuses"
  | "attempts"
  | "sentTo"
  | "kept"
  | "logger"
  | "events"
  | "unavailableAfterMs"
> & {
  accounts: AccountBook;
  /** A group's member has no known number. */
  onUnknownMember: (group: string, lid: string) => void;
  /** The business's own account, once paired. */
  me: () => Contact | undefined;
  control: ConnectionControl;
};

/**
 * Takes messages and receipts from WhatsApp over one connection. The acknowledgement of each waits until the content is
 * durable: journal → fsync → acknowledgement.
 */
export class Intake {
  readonly retries = new RetryBudget();
  readonly #options: Options;
  readonly #awaited: AwaitedContent;
  /** The stanza of each ciphertext: decryption receives the ciphertext alone. */
  readonly #stanzas = new WeakMap<Uint8Array, BinaryNode>();

  constructor(options: Options) {
    this.#options = options;
    this.#awaited = new AwaitedContent(options);
  }

  /** A message stanza arrived. Runs before Baileys' own listener. */
  stanza(stanza: BinaryNode): void {
    // Baileys handles messages that waited for the login one by one; messages without this mark overtake them.
    stanza.attrs["offline"] ??= "0";
    nameRecipientOnly(stanza, ownJidsOf(this.#options.me()));
    this.retries.received(stanza);
    if (!Array.isArray(stanza.content)) return;
    // Each costs a decryption, and a log line if it fails: drops the excess.
    let ciphertexts = 0;
    stanza.content = stanza.content.filter(({ tag }) => tag !== "enc" || ++ciphertexts <= maxCiphertexts);
    for (const { tag, content } of stanza.content) {
      if (tag === "enc" && content instanceof Uint8Array) this.#stanzas.set(content, stanza);
    }
    // Baileys drops ciphertexts of a form that it does not know.
    if (unknownName(stanza) !== undefined)
      this.#options.control.unlessOver(() => this.#awaited.add(stanza, "undecryptable"));
    const missing = missingContent(stanza);
    if (missing) this.#options.control.unlessOver(() => this.#arrivedWithout(stanza, missing));
  }

  receipt(stanza: BinaryNode): void {
    const { accounts, me } = this.#options;
    const own = new Set(ownJidsOf(me()));
    const receipts = receiptsOf(stanza, (jid) => own.has(jidNormalizedUser(jid)))
      .map((receipt) => named(receipt, accounts))
      .flatMap((receipt) => this.#ofItsChat(receipt));
    limitRetry(stanza);
    if (receipts.length > 0) this.#options.control.holdOutput(this.#journal(receipts));
  }

  /** The connection is open: content that is missing can be requested. */
  async opened(socket: WASocket): Promise<void> {
    await this.#awaited.watch(socket);
  }

  /** Records an attempt to decrypt content. Undefined: the content is quarantined. */
  async begin(ciphertext: Uint8Array): Promise<Attempt | undefined> {
    const { attempts, businessId } = this.#options;
    const key = Attempts.key(businessId, ciphertext);
    return attempts.isQuarantined(key) ? undefined : attempts.begin(key);
  }

  /** Resolves once the quarantine is durable; Baileys then acknowledges the stanza without decoding it. */
  async quarantined(ciphertext: Uint8Array): Promise<void> {
    const { control, events } = this.#options;
    if (control.isOver()) throw new ConnectionClosed();
    const stanza = this.#stanzas.get(ciphertext);
    this.#options.logger.error(
      { wa_message_id: truncate(stanza?.attrs["id"] ?? "", maxLoggedId) },
      "a message was quarantined: the process died while decoding it, more than once",
    );
    await untilDurable(events.quarantined(this.#unreadable(stanza)), control);
  }

  /**
   * A ciphertext could not be decrypted. Baileys requests it again from its sender and from the phone. `hasSession`:
   * there is a Signal session with the sender.
   */
  undecryptable(ciphertext: Uint8Array, hasSession: boolean): void {
    const stanza = this.#stanzas.get(ciphertext);
    if (stanza !== undefined) this.#awaited.add(stanza, "undecryptable", hasSession);
  }

  /** Runs inside the transaction of the decryption: the ratchet is written after this has resolved. */
  async decrypted(ciphertext: Uint8Array, plaintext: Uint8Array): Promise<void> {
    const { control } = this.#options;
    if (control.isOver()) throw new ConnectionClosed();
    const { messages, filled } = this.#decode(this.#stanzas.get(ciphertext), plaintext);
    // A failure is reported before it reaches Baileys, which would request the message from its sender again and refuse
    // this one.
    for (const message of messages) await untilDurable(this.#keep(message), control);
    try {
      for (const id of filled) this.#options.placeholders.settle(id);
    } catch (error) {
      control.failVolume(error);
      throw error;
    }
  }

  async #keep({ data, original, bytes }: Decoded): Promise<void> {
    const { businessId, events, kept, onUnknownMember } = this.#options;
    const span = startTrace("receive from WhatsApp", {
      kind: "consumer",
      attributes: { "prosaas.business_id": businessId },
    });
    // One commit: all three are handed over in this turn.
    const traced = span === undefined ? data : { ...data, trace: span.traceparent };
    const durable = [within(span, () => events.received(traced))];
    if (original) durable.push(kept.original(data.wa_message_id, original));
    if (data.type === "unknown" && bytes) durable.push(kept.unread(data, bytes));
    await Promise.all(durable);
    span?.end();
    if (isJidGroup(data.chat) && isLidUser(data.sender)) onUnknownMember(data.chat, data.sender);
  }

  /** A message stanza without content: journals why, unless the phone may still send it. */
  #arrivedWithout(stanza: BinaryNode, { reason, isResent }: Missing): void {
    if (isResent) return this.#awaited.add(stanza, "not_resent");
    const data = this.#withoutContent(stanza, { type: "unavailable", reason });
    if (data) this.#options.control.holdOutput(this.#options.events.unavailable(data));
  }

  #unreadable(stanza: BinaryNode | undefined): InboundData | undefined {
    return stanza && this.#withoutContent(stanza, { type: "unknown", kind: "unreadable" });
  }

  #withoutContent(stanza: BinaryNode, content: MessageContent): InboundData | undefined {
    const me = this.#options.me();
    // Messages from the phone to its companions belong to no chat.
    if (me === undefined || stanza.attrs["category"] === "peer") return undefined;
    const { key, messageTimestamp, pushName } = envelopeOf(stanza, me);
    const { accounts } = this.#options;
    return inboundWithout({ key, timestampS: Number(messageTimestamp), pushName, accounts }, content);
  }

  #decode(stanza: BinaryNode | undefined, plaintext: Uint8Array): DecodedPlaintext {
    const { me, placeholders, history, timers, statuses, events, control, kept, logger, accounts } = this.#options;
    const account = me();
    if (stanza === undefined || account === undefined) return { messages: [], filled: [] };
    try {
      return decodePlaintext(stanza, plaintext, {
        me: account,
        accounts,
        original: (id) => kept.originalOf(id, ownJidsOf(account)),
        placeholder: (id) => placeholders.get(id),
        onTimer: (chat, seconds) => control.holdOutput(timers.note(chat, seconds)),
        onStatus: (received) => {
          const status = statuses.take(received, accounts);
          if (status === "over_share") events.statusDropped();
          else if (status !== undefined) control.holdOutput(events.statusReceived(status));
        },
        onHistory: (notification) => control.holdOutput(history.take(notification)),
      });
    } catch (error) {
      // Malformed by its sender. Baileys meets the same fault and answers it.
      logger.warn({ error: truncate(messageOf(error), maxLoggedError) }, "a message could not be decoded");
      const data = this.#unreadable(stanza);
      return { messages: data ? [{ data }] : [], filled: [] };
    }
  }

  /**
   * Drops receipts of people who know the id of a message and are not its recipients: a member of a group could name a
   * message of the group as if it were alone in its chat, and a member of another group any message. Members also
   * acknowledge what the business writes on its phone; of groups, only messages of this API are counted.
   */
  #ofItsChat(receipt: ReceiptData): ReceiptData[] {
    const sent = this.#options.sentTo(receipt.wa_message_id);
    if (receipt.member !== undefined)
      return sent?.chat === receipt.chat ? [{ ...receipt, recipients: sent.recipients }] : [];
    return sent !== undefined && this.#options.accounts.areDifferent(sent.chat, receipt.chat) ? [] : [receipt];
  }

  /** Yields between slices, since one stanza may name thousands of messages. */
  async #journal(receipts: ReceiptData[]): Promise<void> {
    for (let at = 0; at < receipts.length; at += receiptsPerSlice) {
      if (at > 0) await yieldToLoop();
      const slice = receipts.slice(at, at + receiptsPerSlice);
      await Promise.all(slice.map((receipt) => this.#options.events.receipt(receipt)));
    }
  }
}

/** A receipt under the name of the account's chat. A group names each member in one form; another would count twice. */
function named(receipt: ReceiptData, accounts: AccountBook): ReceiptData {
  return { ...receipt, chat: accounts.chatOf(receipt.chat) };
}
