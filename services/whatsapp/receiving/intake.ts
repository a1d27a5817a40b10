import { decodeMessageNode, jidDecode, jidNormalizedUser, proto, unpadRandomMax16 } from "@whiskeysockets/baileys";
import type { BinaryNode, Contact, WAMessage, WAMessageKey, WASocket } from "@whiskeysockets/baileys";
import { messageOf } from "../../../lib/core/errors.ts";
import type { InboundData, ReceiptData } from "../../../lib/contracts/shard/schemas.ts";
import { truncate, maxLoggedId } from "../codec/bounds.ts";
import { ownJidsOf } from "../codec/jid.ts";
import type { ConnectionControl, ConnectionOptions } from "../session/connection_options.ts";
import { RetryBudget } from "../session/retry_budget.ts";
import { ConnectionClosed } from "../session/survivable.ts";
import { Attempts } from "./attempts.ts";
import type { Attempt } from "./attempts.ts";
import { inboundOf, isConversation, unreadableOf } from "./inbound.ts";
import { isPlaceholder } from "./placeholders.ts";
import { receiptsOf } from "./receipts.ts";

/** A group message has two: the message, and the sender key to it. */
const maxCiphertexts = 4;
/** Receipts journaled before the event loop may run other work. WhatsApp names fewer in one stanza. */
const receiptsPerSlice = 250;

type Options = Pick<
  ConnectionOptions,
  "businessId" | "placeholders" | "attempts" | "sentMessage" | "logger" | "events"
> & {
  /** The business's own account, once paired. */
  me: () => Contact | undefined;
  control: ConnectionControl;
};

type Message = Pick<WAMessage, "key" | "messageTimestamp" | "pushName" | "message">;

/**
 * Takes messages and receipts from WhatsApp over one connection. The acknowledgement of each waits until the content is
 * durable: journal → fsync → acknowledgement.
 */
export class Intake {
  readonly retries = new RetryBudget();
  readonly #options: Options;
  /** The stanza of each ciphertext: decryption receives the ciphertext alone. */
  readonly #stanzas = new WeakMap<Uint8Array, BinaryNode>();

  constructor(options: Options) {
    this.#options = options;
  }

  /** A message stanza arrived. Runs before Baileys' own listener. */
  stanza(stanza: BinaryNode): void {
    // Baileys handles messages that waited for the login one by one; messages without this mark overtake them.
    stanza.attrs["offline"] ??= "0";
    this.retries.received(stanza);
    if (!Array.isArray(stanza.content)) return;
    // Each costs a decryption, and a log line if it fails: drops the excess.
    let ciphertexts = 0;
    stanza.content = stanza.content.filter(({ tag }) => tag !== "enc" || ++ciphertexts <= maxCiphertexts);
    for (const { tag, content } of stanza.content) {
      if (tag === "enc" && content instanceof Uint8Array) this.#stanzas.set(content, stanza);
    }
    if (isPlaceholder(stanza)) this.#options.control.unlessOver(() => this.#recordPlaceholder(stanza));
  }

  receipt(stanza: BinaryNode): void {
    const own = new Set(ownJidsOf(this.#options.me()));
    const receipts = receiptsOf(stanza, (jid) => own.has(jidNormalizedUser(jid)));
    if (receipts.length > 0) this.#options.control.holdOutput(this.#journal(receipts));
  }

  /** Requests from the phone, one by one, the content of placeholders that an earlier connection left. */
  async requestPlaceholders(socket: WASocket): Promise<void> {
    for (const { key, at, push_name: pushName } of this.#options.placeholders.due()) {
      if (this.#options.control.isOver()) return;
      await socket.requestPlaceholderResend(key, { key, messageTimestamp: at, pushName });
    }
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
    const message = this.#unreadable(this.#stanzas.get(ciphertext));
    try {
      await events.quarantined(message);
    } catch (error) {
      control.failVolume(error);
      throw error;
    }
  }

  /** Runs inside the transaction of the decryption: the ratchet is written after this has resolved. */
  async decrypted(ciphertext: Uint8Array, plaintext: Uint8Array): Promise<void> {
    const { control, events, placeholders } = this.#options;
    if (control.isOver()) throw new ConnectionClosed();
    const messages = this.#decode(this.#stanzas.get(ciphertext), plaintext);
    try {
      for (const message of messages) {
        await events.received(message);
        placeholders.settle(message.wa_message_id);
      }
    } catch (error) {
      // Before the error reaches Baileys, which would request the message from its sender again and refuse this one.
      control.failVolume(error);
      throw error;
    }
  }

  /** Baileys requests the content from the phone, and acknowledges the placeholder before the content arrives. */
  #recordPlaceholder(stanza: BinaryNode): void {
    const me = this.#options.me();
    if (me === undefined) return;
    const { key, pushName, messageTimestamp } = decodeMessageNode(stanza, me.id, me.lid ?? "").fullMessage;
    if (!isConversation(key.remoteJid)) return;
    try {
      this.#options.placeholders.add({ key, at: Number(messageTimestamp), push_name: pushName ?? undefined });
    } catch (error) {
      this.#options.control.failVolume(error);
    }
  }

  #unreadable(stanza: BinaryNode | undefined): InboundData | undefined {
    const me = this.#options.me();
    if (stanza === undefined || me === undefined) return undefined;
    this.#options.logger.error(
      { wa_message_id: truncate(stanza.attrs["id"] ?? "", maxLoggedId) },
      "a message was quarantined: the process died while decoding it, more than once",
    );
    // Messages from the phone to its companions belong to no chat.
    if (stanza.attrs["category"] === "peer") return undefined;
    const { key, messageTimestamp, pushName } = decodeMessageNode(stanza, me.id, me.lid ?? "").fullMessage;
    return unreadableOf({ key, timestampS: Number(messageTimestamp), pushName });
  }

  #decode(stanza: BinaryNode | undefined, plaintext: Uint8Array): InboundData[] {
    const me = this.#options.me();
    if (stanza === undefined || me === undefined) return [];
    try {
      const { fullMessage } = decodeMessageNode(stanza, me.id, me.lid ?? "");
      const decoded = proto.Message.decode(unpadRandomMax16(plaintext));
      const message = decoded.deviceSentMessage?.message ?? decoded;
      const resent = isFromOwnPhone(stanza, fullMessage.key) ? this.#resent(message) : [];
      return [{ ...fullMessage, message }, ...resent].flatMap((each) => this.#inbound(each) ?? []);
    } catch (error) {
      // Malformed by its sender. Baileys meets the same fault and answers it.
      this.#options.logger.warn({ error: messageOf(error) }, "a message could not be decoded");
      return [];
    }
  }

  /** Messages that the phone resends for our placeholders. */
  #resent({ protocolMessage }: proto.IMessage): Message[] {
    const results = protocolMessage?.peerDataOperationRequestResponseMessage?.peerDataOperationResult ?? [];
    return results.flatMap(({ placeholderMessageResendResponse: response }) => {
      if (!response?.webMessageInfoBytes) return [];
      const { key, message, messageTimestamp, pushName } = proto.WebMessageInfo.decode(response.webMessageInfoBytes);
      // The placeholder names the chat as its other messages do; the phone may use another of its JIDs.
      const requested = key?.id ? this.#options.placeholders.get(key.id) : undefined;
      if (!message || (!requested && !key)) return [];
      return [
        {
          key: requested?.key ?? key!,
          message,
          messageTimestamp: messageTimestamp ?? requested?.at ?? null,
          pushName: requested?.push_name ?? pushName,
        },
      ];
    });
  }

  #inbound({ key, messageTimestamp, pushName, message }: Message): InboundData | undefined {
    if (!message) return undefined;
    const { sentMessage, me } = this.#options;
    return inboundOf({
      key,
      timestampS: Number(messageTimestamp),
      pushName,
      message,
      own: ownJidsOf(me()),
      sentMessage,
    });
  }

  /** Yields between slices, since one stanza may name thousands of messages. */
  async #journal(receipts: ReceiptData[]): Promise<void> {
    for (let at = 0; at < receipts.length; at += receiptsPerSlice) {
      if (at > 0) await new Promise((resolve) => setImmediate(resolve));
      const slice = receipts.slice(at, at + receiptsPerSlice);
      await Promise.all(slice.map((receipt) => this.#options.events.receipt(receipt)));
    }
  }
}

/** A message between the phone and this companion. WhatsApp's server lets no one else send one. */
function isFromOwnPhone({ attrs }: BinaryNode, { fromMe }: WAMessageKey): boolean {
  return fromMe === true && attrs["category"] === "peer" && (jidDecode(attrs["from"])?.device ?? 0) === 0;
}
