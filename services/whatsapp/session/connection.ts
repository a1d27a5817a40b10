import {
  decodeMessageNode,
  isJidGroup,
  isPnUser,
  jidDecode,
  jidNormalizedUser,
  makeWASocket,
  proto,
  S_WHATSAPP_NET,
  unpadRandomMax16,
} from "@whiskeysockets/baileys";
import type { BinaryNode, ConnectionState, WAMessage, WAMessageKey, WASocket } from "@whiskeysockets/baileys";
import { randomBytes } from "node:crypto";
import { messageOf } from "../../../lib/core/errors.ts";
import type { InboundData, ReceiptData } from "../../../lib/contracts/shard/schemas.ts";
import { waVersionParts } from "../../../lib/contracts/shard/wa_version.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { AuthState } from "../auth/auth_state.ts";
import { Attempts } from "../receiving/attempts.ts";
import type { Attempt } from "../receiving/attempts.ts";
import { inboundOf, isConversation, unreadableOf } from "../receiving/inbound.ts";
import type { Line } from "../chats/line.ts";
import { cut } from "../codec/bounds.ts";
import { GroupDirectory } from "../codec/group_directory.ts";
import { withMemberNames } from "../codec/member_names.ts";
import { stanzaOptions } from "../codec/outgoing.ts";
import { ownSenderKeys } from "../codec/sender_key_names.ts";
import { isPlaceholder } from "../receiving/placeholders.ts";
import type { Placeholders } from "../receiving/placeholders.ts";
import { receiptsOf } from "../receiving/receipts.ts";
import { Undeliverable } from "../sending/trouble.ts";
import { baileysLog } from "./baileys_log.ts";
import type { Failure } from "./ends.ts";
import { defaultHearingTimes, Hearing } from "./hearing.ts";
import type { HearingTimes } from "./hearing.ts";
import { OutputGate } from "./output_gate.ts";
import { QueryCooldown } from "./query_cooldown.ts";
import { RetryBudget } from "./retry_budget.ts";
import { durableRepository } from "./signal_repository.ts";
import { isolateStanzaListeners } from "./stanza_listeners.ts";
import { ConnectionOver } from "./stray.ts";
import { TtlCache } from "./ttl_cache.ts";

/** What one connection reports. Nothing is reported after `ended`, and nothing after `drop`. */
export type ConnectionEvents = {
  /** A QR code to be scanned, or a code to be entered, good until `expiresAt`. */
  shown(show: "qr" | "code", value: string, expiresAt: number): void;
  /** A phone has linked this login; the credentials are saved. */
  paired(): void;
  opened(): void;
  /** `failure`: what WhatsApp said beside the code, where it refused the login. */
  ended(code: number, failure?: Failure): void;
  /** WhatsApp's server took a message, or refused it with a code. */
  acknowledged(waMessageId: string, refusal: string | undefined): void;
  /** Resolves once it is durable; WhatsApp is not told before. */
  received(message: InboundData): Promise<void>;
  receipt(receipt: ReceiptData): Promise<void>;
  /** Content was quarantined, because the process died with it. `message`: what is known of it, where it is of a chat. */
  quarantined(message: InboundData | undefined): Promise<void>;
  /** A listener failed with a stanza. */
  stanzaFailed(tag: string): void;
  /** Open, and nothing is delivered; `heard`, if anything ever was. */
  deaf(heard: boolean): void;
  /** A message could not be decrypted. `acquainted`: others of this sender could be before. */
  undecryptable(failure: { sender: string; acquainted: boolean }): void;
  /** Something received could not be made durable. */
  volumeRefused(error: unknown): void;
};

export type ConnectionOptions = {
  businessId: string;
  url: string;
  auth: AuthState;
  placeholders: Placeholders;
  attempts: Attempts;
  /** WhatsApp Web's version to name, as "2.3000.1"; Baileys' own where absent. */
  version?: string | undefined;
  /** The number to pair by code; without it, by QR. */
  pairingPhone?: string | undefined;
  /** The plaintext of a message that this business sent, for a phone that could not decrypt it. */
  sentMessage: (waMessageId: string) => Uint8Array | undefined;
  logger: Logger;
  events: ConnectionEvents;
  hearing?: HearingTimes | undefined;
  /** Milliseconds until a code is shown or the login is open. */
  connectDeadlineMs?: number;
};

/** Baileys shows the first QR code for 60 s and each further one for 20 s. */
const qrLifetimesMs = [60_000, 20_000] as const;
/** A pairing code is good for about as long as WhatsApp's round of references, 160 s. */
const codeLifetimeMs = 160_000;
/** For the next code, or for the end that WhatsApp announces when the codes are used up. */
const codeGraceMs = 30_000;
/** Until the server's first word: as long as Baileys would give it. */
const handshakeDeadlineMs = 20_000;
/** The first login uploads 812 keys; Baileys gives that 30 s. */
const defaultConnectDeadlineMs = 60_000;
const keepAliveMs = 25_000;
/** Two keepalives that went unanswered, and some. Baileys waits for a farewell that a dead peer never sends. */
const silenceMs = 2 * keepAliveMs + 10_000;
/** Stanzas that come to a connection only if WhatsApp delivers to it; one that is deaf has its queries answered all the same. */
const delivered: ReadonlySet<string> = new Set([
  "message",
  "receipt",
  "ack",
  "notification",
  "call",
  "presence",
  "chatstate",
]);
/** An acknowledgement's code: the group's addressing mode, or a list of devices, is out of date. */
const staleAddressing = "421";
/** WhatsApp sends one; more than a few would be a fault. */
const maxDeferredRefreshes = 10;
/** Characters of an id that its sender made, in a log line. */
const maxLogged = 128;
const maxCause = 500;
/** WhatsApp sends two: a group's message, and the key to it. */
const maxCiphertexts = 4;
/** What is journaled before the event loop gets a turn; WhatsApp names fewer in one receipt. */
const receiptsATurn = 250;
/** How long a farewell may take before the socket is cut. */
const farewellMs = 1000;

type RawSocket = {
  send(data: Uint8Array, callback?: (error?: Error) => void): void;
  terminate(): void;
};

/** One Baileys socket from its first byte to its end. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #events: ConnectionEvents;
  readonly #socket: WASocket;
  readonly #raw: RawSocket;
  readonly #gate: OutputGate;
  readonly #groups = new GroupDirectory((group) => this.#socket.groupMetadata(group));
  /** Which stanza a ciphertext came in: the decryption is told the ciphertext alone. */
  readonly #stanzas = new WeakMap<Uint8Array, BinaryNode>();
  readonly #hearing: Hearing;
  readonly #cooldown = new QueryCooldown();
  /** The devices of each user, as WhatsApp listed them. */
  readonly #devices = new TtlCache(1000, 5 * 60_000);
  readonly #retries = new RetryBudget();
  #watchdog: ReturnType<typeof setTimeout> | undefined;
  #over = false;
  #closing: Promise<void> | undefined;
  #codesShown = 0;
  /** The QR code on screen, as Baileys made it. */
  #qr: { text: string; expiresAt: number } | undefined;
  /** A phone has linked this login. */
  #linked = false;
  /** Notifications that retire the secret, to be acknowledged when the flow of the pairing code has ended. */
  #deferredRefreshes: BinaryNode[] = [];
  /** When the last frame came from WhatsApp, ms. */
  lastInboundAt: number | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#linked = options.auth.paired;
    this.#events = options.events;
    this.#socket = makeWASocket(this.#config());
    // Made synchronously by makeWASocket, and not replaced during the socket's life.
    this.#raw = (this.#socket.ws as unknown as { socket: RawSocket }).socket;
    const send = this.#raw.send.bind(this.#raw);
    this.#gate = new OutputGate(send, (error) => this.#refuse(error));
    this.#raw.send = (data, callback) => this.#gate.send(data, callback);
    options.auth.beforeCommit = (durable) => this.#gate.after(durable);
    this.#hearing = new Hearing({
      ...(options.hearing ?? defaultHearingTimes),
      probe: () => this.#probe(),
      onDeaf: (heard) => this.#unlessOver(() => this.#events.deaf(heard)),
    });
    this.#endUnlessBy(Math.min(handshakeDeadlineMs, options.connectDeadlineMs ?? defaultConnectDeadlineMs));
    this.#listen();
  }

  /**
   * Hands one message to WhatsApp; resolves when it was sent, not when it was acknowledged.
   * @throws Undeliverable where the number has no WhatsApp account, since such a message would be dropped without a
   *   word, and where the business is not in the group. Another error says nothing about the message.
   */
  async relay(chat: string, message: proto.IMessage, waMessageId: string): Promise<void> {
    if (this.#cooldown.isActive && (await this.#mustAsk(chat))) this.#cooldown.refuse();
    try {
      await this.#relay(chat, message, waMessageId);
      this.#cooldown.succeeded();
    } catch (error) {
      this.#cooldown.failed(error);
      throw error;
    }
  }

  async #relay(chat: string, message: proto.IMessage, waMessageId: string): Promise<void> {
    if (isPnUser(chat) && !(await this.#hasAccount(chat))) throw noAccount();
    if (!isJidGroup(chat)) await this.#refuseWithoutDevices(chat);
    if (isJidGroup(chat)) message = withMemberNames(message, await this.#groups.of(chat), this.#ownJids());
    await this.#socket.relayMessage(chat, message, { messageId: waMessageId, ...stanzaOptions(message) });
  }

  /** Whether there was a word in this chat before, from either side. A group has let the business in. */
  async isAcquainted(chat: string): Promise<boolean> {
    return isJidGroup(chat) || (await this.#socket.signalRepository.validateSession(chat)).exists;
  }

  /** For what is asked of WhatsApp beside messages. */
  get line(): Line {
    return { socket: this.#socket, groupOf: (group) => this.#groups.of(group) };
  }

  /** Tells WhatsApp that this device is logged out. */
  async logout(): Promise<void> {
    // A frame that is held back when the socket closes is lost.
    await this.#gate.passed();
    await this.#socket.logout("logged out on request");
  }

  /** Closes the socket without logging out. Resolves when it is closed. */
  drop(): Promise<void> {
    this.#over = true;
    return this.#close();
  }

  /** Whether a message to this chat needs an answer of WhatsApp's first: who is in the group, which devices a person has. */
  async #mustAsk(chat: string): Promise<boolean> {
    if (isJidGroup(chat)) return !this.#groups.has(chat);
    const { user } = jidDecode(chat) ?? {};
    if (user === undefined || this.#devices.get(user) === undefined) return true;
    return isPnUser(chat) === true && (await this.#options.auth.keys.get("lid-mapping", [user]))[user] === undefined;
  }

  /** Asked of WhatsApp once for each contact: an account has a LID, which is kept from then on. */
  async #hasAccount(chat: string): Promise<boolean> {
    const { user } = jidDecode(chat) ?? {};
    if (user === undefined) return false;
    return (await this.#options.auth.keys.get("lid-mapping", [user]))[user] !== undefined || this.#isOnWhatsApp(user);
  }

  async #isOnWhatsApp(user: string): Promise<boolean> {
    const found = await this.#socket.onWhatsApp(user);
    if (found === undefined) throw new Error("WhatsApp did not answer whether the number has an account");
    return found.some(({ exists }) => exists);
  }

  /**
   * Without any, Baileys would encrypt for nobody, and WhatsApp's server takes that too. Cached, as Baileys needs it
   * again. Baileys gives none also where WhatsApp did not answer, so that the number is asked about once more.
   */
  async #refuseWithoutDevices(chat: string): Promise<void> {
    if ((await this.#socket.getUSyncDevices([chat], true, false)).length > 0) return;
    const { user } = jidDecode(chat) ?? {};
    if (isPnUser(chat) && user !== undefined && !(await this.#isOnWhatsApp(user))) throw noAccount();
    throw new Error("WhatsApp names no device of this number");
  }

  #config(): Parameters<typeof makeWASocket>[0] {
    const { url, auth, logger, sentMessage, version } = this.#options;
    const minutes = 60_000;
    return {
      waWebSocketUrl: url,
      auth: { creds: auth.creds, keys: auth.keys },
      logger: baileysLog(logger),
      ...(version === undefined ? {} : { version: waVersionParts(version) }),
      keepAliveIntervalMs: keepAliveMs,
      // Baileys would arm a timer and record two stack traces for each frame, a tenth of what a send costs. The watchdog
      // and the deadlines of acknowledgements notice what stalls.
      connectTimeoutMs: 0,
      defaultQueryTimeoutMs: 20_000,
      markOnlineOnConnect: false,
      emitOwnEvents: false,
      syncFullHistory: false,
      shouldSyncHistoryMessage: () => false,
      generateHighQualityLinkPreview: false,
      // 10 KB a message for 5 minutes; the ledger has them on the disk, and still after a restart.
      enableRecentMessageCache: false,
      cachedGroupMetadata: (group) => this.#groups.of(group),
      getMessage: ({ id }) => {
        const body = id ? sentMessage(id) : undefined;
        return Promise.resolve(body === undefined ? undefined : proto.Message.decode(body));
      },
      // All that comes to the session waits meanwhile: a stranger's garbage must not stop it for a quarter of a second each.
      retryRequestDelayMs: 10,
      // The store is a local file: what it refuses once it refuses again, and the session has to stop.
      transactionOpts: { maxCommitRetries: 1, delayBetweenTriesMs: 0 },
      msgRetryCounterCache: this.#retries,
      userDevicesCache: this.#devices,
      callOfferCache: new TtlCache(100, 5 * minutes),
      placeholderResendCache: new TtlCache(100, 60 * minutes),
      makeSignalRepository: durableRepository({
        keys: auth.keys,
        begin: (ciphertext) => this.#begin(ciphertext),
        onQuarantined: (ciphertext) => this.#quarantined(ciphertext),
        onDecrypted: (ciphertext, plaintext) => this.#decrypted(ciphertext, plaintext),
        onUndecryptable: (failure) => this.#unlessOver(() => this.#events.undecryptable(failure)),
      }),
    };
  }

  #listen(): void {
    const { ev, ws } = this.#socket;
    ev.on("creds.update", () => this.#unlessOver(() => this.#options.auth.saveCreds()));
    ev.on("connection.update", (update) => this.#unlessOver(() => this.#updated(update)));
    // Whatever the code, it is a gateway's and says nothing about the login. Baileys would wait for a close that does not come.
    ws.once("unexpected-response", () => this.#end(503));
    ws.once("frame", () =>
      this.#unlessOver(() => this.#endUnlessBy(this.#options.connectDeadlineMs ?? defaultConnectDeadlineMs)),
    );
    ws.on("frame", ({ tag }: Partial<BinaryNode>) => {
      this.lastInboundAt = Date.now();
      if (tag !== undefined && delivered.has(tag)) this.#hearing.heard();
    });
    // Before Baileys' own listeners: they start what leads to the acknowledgement.
    ws.prependListener("CB:message", (stanza: BinaryNode) => this.#noteStanza(stanza));
    ws.prependListener("CB:receipt", (stanza: BinaryNode) => this.#unlessOver(() => this.#receipt(stanza)));
    ws.on("CB:notification,type:companion_reg_refresh", (stanza: BinaryNode) =>
      this.#unlessOver(() => this.#refreshSecret(stanza)),
    );
    ws.on("CB:notification,type:w:gp2", (stanza: BinaryNode) => this.#unlessOver(() => this.#groupChanged(stanza)));
    ws.on("CB:ack,class:message", ({ attrs }: BinaryNode) =>
      this.#unlessOver(() => {
        if (attrs["error"] === staleAddressing) this.#forgetAddressing(attrs["from"]);
        if (attrs["id"]) this.#events.acknowledged(attrs["id"], attrs["error"]);
      }),
    );
    isolateStanzaListeners(ws, (stanza, error) => this.#failed(stanza, error));
  }

  #failed({ tag = "", attrs }: Partial<BinaryNode>, error: unknown): void {
    const id = cut(attrs?.["id"] ?? "", maxLogged);
    this.#options.logger.warn(
      { tag: cut(tag, maxLogged), stanza: id, cause: cut(messageOf(error), maxCause) },
      "a listener failed with a stanza",
    );
    this.#events.stanzaFailed(delivered.has(tag) ? tag : "other");
  }

  #unlessOver(handle: () => void): void {
    if (!this.#over) handle();
  }

  #updated({ connection, qr, isNewLogin, lastDisconnect }: Partial<ConnectionState>): void {
    // Baileys goes on renewing the code until the connection ends, also after the link.
    if (qr !== undefined && !this.#linked) void this.#show(qr);
    if (isNewLogin) this.#pairedNow();
    if (connection === "open") this.#opened();
    if (connection === "close") this.#end(statusOf(lastDisconnect?.error), failureOf(lastDisconnect?.error));
  }

  async #show(qr: string): Promise<void> {
    const nth = this.#codesShown++;
    const phone = this.#options.pairingPhone;
    const lifetimeMs = phone === undefined ? qrLifetimesMs[nth === 0 ? 0 : 1] : codeLifetimeMs;
    // The reference that a QR code shows is renewed meanwhile; the code asked for with the first one stays.
    if (phone !== undefined && nth > 0) return;
    this.#endUnlessBy(lifetimeMs + codeGraceMs);
    try {
      const code = phone === undefined ? qr : await this.#socket.requestPairingCode(phone);
      const expiresAt = Date.now() + lifetimeMs;
      this.#unlessOver(() =>
        phone === undefined ? this.#draw(code, expiresAt) : this.#events.shown("code", code, expiresAt),
      );
    } catch {
      this.#end(500);
    }
  }

  /** Shows a QR code with the secret as it is now: Baileys puts in the one that counted when the references came. */
  #draw(text: string, expiresAt: number): void {
    this.#qr = { text, expiresAt };
    const [ref, noiseKey, identity, , ...rest] = text.split(",");
    this.#events.shown(
      "qr",
      [ref, noiseKey, identity, this.#options.auth.creds.advSecretKey, ...rest].join(","),
      expiresAt,
    );
  }

  #pairedNow(): void {
    this.#linked = true;
    this.#events.paired();
    for (const stanza of this.#deferredRefreshes.splice(0)) this.#acknowledge(stanza);
  }

  /**
   * WhatsApp retires the secret that the QR code shows: a new one is drawn into the code with the same reference, and then
   * the notification is acknowledged. The secret stays as it is once a phone has linked, since the link was verified with
   * it, and while a pairing code is in use, whose exchange sets it. All of it happens in one turn of the loop, as does
   * Baileys' verification of a link: the two never mix.
   */
  #refreshSecret(stanza: BinaryNode): void {
    if (stanza.attrs["from"] !== S_WHATSAPP_NET) return;
    if (!this.#linked && this.#options.pairingPhone !== undefined) {
      if (this.#deferredRefreshes.length < maxDeferredRefreshes) this.#deferredRefreshes.push(stanza);
      return;
    }
    if (!this.#linked) {
      this.#options.auth.creds.advSecretKey = randomBytes(32).toString("base64");
      if (this.#qr !== undefined) this.#draw(this.#qr.text, this.#qr.expiresAt);
    }
    this.#acknowledge(stanza);
  }

  #acknowledge({ tag, attrs: { id, from, type } }: BinaryNode): void {
    if (id === undefined || from === undefined) return;
    const ack = { tag: "ack", attrs: { id, to: from, class: tag, ...(type === undefined ? {} : { type }) } };
    this.#socket
      .sendNode(ack)
      .catch((error: unknown) =>
        this.#options.logger.warn({ cause: messageOf(error) }, "a notification could not be acknowledged"),
      );
  }

  /** Ends the connection if what is due has not come within `ms`. */
  #endUnlessBy(ms: number): void {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#end(408), ms);
  }

  #opened(): void {
    clearTimeout(this.#watchdog);
    this.#watchdog = setInterval(() => {
      if (Date.now() - (this.lastInboundAt ?? 0) > silenceMs) this.#end(408);
    }, 5_000);
    this.#hearing.start();
    this.#events.opened();
    this.#askForPlaceholders().catch((error: unknown) =>
      this.#options.logger.warn(
        { cause: messageOf(error) },
        "the phone could not be asked for messages without content",
      ),
    );
  }

  /** A message from device to phone that asks for nothing and that nobody sees; WhatsApp acknowledges it like any other. */
  async #probe(): Promise<void> {
    const { me } = this.#options.auth.creds;
    if (me === undefined) return;
    const { APP_STATE_SYNC_KEY_REQUEST } = proto.Message.ProtocolMessage.Type;
    const nothing = { protocolMessage: { type: APP_STATE_SYNC_KEY_REQUEST, appStateSyncKeyRequest: { keyIds: [] } } };
    await this.#socket.relayMessage(jidNormalizedUser(me.id), nothing, { additionalAttributes: { category: "peer" } });
  }

  #noteStanza(stanza: BinaryNode): void {
    // Baileys takes messages that waited for the login one after the other, and those without this mark past them.
    stanza.attrs["offline"] ??= "0";
    this.#retries.received(stanza);
    if (!Array.isArray(stanza.content)) return;
    // Each costs a decryption, and as much log as it fails: what is in excess is not looked at.
    let ciphertexts = 0;
    stanza.content = stanza.content.filter(({ tag }) => tag !== "enc" || ++ciphertexts <= maxCiphertexts);
    for (const { tag, content } of stanza.content) {
      if (tag === "enc" && content instanceof Uint8Array) this.#stanzas.set(content, stanza);
    }
    if (isPlaceholder(stanza)) this.#unlessOver(() => this.#notePlaceholder(stanza));
  }

  /** Baileys asks the phone for the content, and acknowledges the placeholder before it has it. */
  #notePlaceholder(stanza: BinaryNode): void {
    const { me } = this.#options.auth.creds;
    if (me === undefined) return;
    const { key, pushName, messageTimestamp } = decodeMessageNode(stanza, me.id, me.lid ?? "").fullMessage;
    if (!isConversation(key.remoteJid)) return;
    try {
      this.#options.placeholders.add({ key, at: Number(messageTimestamp), push_name: pushName ?? undefined });
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** Asks the phone, one after the other, for what it has not sent since an earlier connection. */
  async #askForPlaceholders(): Promise<void> {
    for (const { key, at, push_name: pushName } of this.#options.placeholders.due()) {
      if (this.#over) return;
      await this.#socket.requestPlaceholderResend(key, { key, messageTimestamp: at, pushName });
    }
  }

  async #begin(ciphertext: Uint8Array): Promise<Attempt | undefined> {
    const { attempts, businessId } = this.#options;
    const key = Attempts.key(businessId, ciphertext);
    return attempts.isQuarantined(key) ? undefined : attempts.begin(key);
  }

  /** Resolves once it is durable; then Baileys acknowledges the stanza without reading it. */
  async #quarantined(ciphertext: Uint8Array): Promise<void> {
    if (this.#over) throw new ConnectionOver();
    const message = this.#unreadable(this.#stanzas.get(ciphertext));
    try {
      await this.#events.quarantined(message);
    } catch (error) {
      this.#refuse(error);
      throw error;
    }
  }

  #unreadable(stanza: BinaryNode | undefined): InboundData | undefined {
    const { me } = this.#options.auth.creds;
    if (stanza === undefined || me === undefined) return undefined;
    this.#options.logger.error(
      { wa_message_id: cut(stanza.attrs["id"] ?? "", maxLogged) },
      "a message was quarantined: the process died with it, more than once",
    );
    // What a phone tells its companions is of no chat.
    if (stanza.attrs["category"] === "peer") return undefined;
    const { key, messageTimestamp, pushName } = decodeMessageNode(stanza, me.id, me.lid ?? "").fullMessage;
    return unreadableOf({ key, timestampS: Number(messageTimestamp), pushName });
  }

  /** Within the transaction of the decryption: the ratchet is written after this has resolved. */
  async #decrypted(ciphertext: Uint8Array, plaintext: Uint8Array): Promise<void> {
    if (this.#over) throw new ConnectionOver();
    const messages = this.#decode(this.#stanzas.get(ciphertext), plaintext);
    try {
      for (const message of messages) {
        await this.#events.received(message);
        this.#options.placeholders.settle(message.wa_message_id);
      }
    } catch (error) {
      // Before the error reaches Baileys, which would ask the sender for the message again and refuse this one.
      this.#refuse(error);
      throw error;
    }
  }

  #decode(stanza: BinaryNode | undefined, plaintext: Uint8Array): InboundData[] {
    const me = this.#options.auth.creds.me;
    if (stanza === undefined || me === undefined) return [];
    try {
      const { fullMessage } = decodeMessageNode(stanza, me.id, me.lid ?? "");
      const decoded = proto.Message.decode(unpadRandomMax16(plaintext));
      const message = decoded.deviceSentMessage?.message ?? decoded;
      const resent = isFromOwnPhone(stanza, fullMessage.key) ? this.#resent(message) : [];
      return [{ ...fullMessage, message }, ...resent].flatMap((each) => this.#inbound(each) ?? []);
    } catch (error) {
      // Malformed by its sender. Baileys meets the same fault and answers it.
      this.#options.logger.warn({ cause: messageOf(error) }, "a message could not be decoded");
      return [];
    }
  }

  /** Messages that the phone sends because we had placeholders of them. */
  #resent({ protocolMessage }: proto.IMessage): Pick<WAMessage, "key" | "messageTimestamp" | "pushName" | "message">[] {
    const results = protocolMessage?.peerDataOperationRequestResponseMessage?.peerDataOperationResult ?? [];
    return results.flatMap(({ placeholderMessageResendResponse: response }) => {
      if (!response?.webMessageInfoBytes) return [];
      const { key, message, messageTimestamp, pushName } = proto.WebMessageInfo.decode(response.webMessageInfoBytes);
      // The placeholder names the chat as other messages of it do; the phone may know it by another name.
      const asked = key?.id ? this.#options.placeholders.get(key.id) : undefined;
      if (!message || (!asked && !key)) return [];
      return [
        {
          key: asked?.key ?? key!,
          message,
          messageTimestamp: messageTimestamp ?? asked?.at ?? null,
          pushName: asked?.push_name ?? pushName,
        },
      ];
    });
  }

  #inbound({
    key,
    messageTimestamp,
    pushName,
    message,
  }: Pick<WAMessage, "key" | "messageTimestamp" | "pushName" | "message">): InboundData | undefined {
    if (!message) return undefined;
    const { sentMessage } = this.#options;
    return inboundOf({
      key,
      timestampS: Number(messageTimestamp),
      pushName,
      message,
      own: this.#ownJids(),
      sentMessage,
    });
  }

  #ownJids(): string[] {
    const { id, lid } = this.#options.auth.creds.me ?? {};
    return [id, lid].flatMap((jid) => (jid ? [jidNormalizedUser(jid)] : []));
  }

  #receipt(stanza: BinaryNode): void {
    const own = new Set(this.#ownJids());
    const receipts = receiptsOf(stanza, (jid) => own.has(jidNormalizedUser(jid)));
    if (receipts.length > 0) this.#gate.after(this.#journal(receipts));
  }

  /** A receipt may name thousands of messages: other sessions get their turn in between. */
  async #journal(receipts: ReceiptData[]): Promise<void> {
    for (let at = 0; at < receipts.length; at += receiptsATurn) {
      if (at > 0) await new Promise((resolve) => setImmediate(resolve));
      await Promise.all(receipts.slice(at, at + receiptsATurn).map((receipt) => this.#events.receipt(receipt)));
    }
  }

  #groupChanged({ attrs: { from: group }, content }: BinaryNode): void {
    if (group === undefined) return;
    this.#groups.forget(group);
    const left = Array.isArray(content) && content.some(({ tag }) => tag === "remove" || tag === "leave");
    if (!left) return;
    const { id, lid } = this.#options.auth.creds.me ?? {};
    this.#gate.after(this.#renewSenderKey(group, ownSenderKeys(group, [id, lid])));
  }

  /** WhatsApp refused how a message was addressed: who is in the chat, and with which devices, is asked again. */
  #forgetAddressing(chat: string | undefined): void {
    if (chat === undefined) return;
    if (isJidGroup(chat)) this.#groups.forget(chat);
    this.#devices.flushAll();
  }

  /** Who has left a group must not be able to read what is written from now on: the next message makes a new key. */
  async #renewSenderKey(group: string, names: string[]): Promise<void> {
    const own = Object.fromEntries(names.map((name) => [name, null]));
    await this.#options.auth.keys.set({ "sender-key": own, "sender-key-memory": { [group]: null } });
  }

  /** Nothing may be acknowledged any more: cut the socket at once, then report. */
  #refuse(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#raw.terminate();
    void this.#close();
    this.#events.volumeRefused(error);
  }

  #end(code: number, failure?: Failure): void {
    if (this.#over) return;
    this.#over = true;
    void this.#close();
    this.#events.ended(code, failure);
  }

  #close(): Promise<void> {
    this.#hearing.stop();
    clearTimeout(this.#watchdog);
    clearInterval(this.#watchdog);
    return (this.#closing ??= this.#farewell());
  }

  async #farewell(): Promise<void> {
    const cut = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      this.#raw.terminate();
      cut.resolve();
    }, farewellMs);
    await Promise.race([Promise.resolve(this.#socket.end(undefined)), cut.promise]);
    clearTimeout(timer);
  }
}

/** A message between the phone and this companion, which the server lets no one else send. */
function isFromOwnPhone({ attrs }: BinaryNode, { fromMe }: WAMessageKey): boolean {
  return fromMe === true && attrs["category"] === "peer" && (jidDecode(attrs["from"])?.device ?? 0) === 0;
}

function noAccount(): Undeliverable {
  return new Undeliverable("not_on_whatsapp", "The number has no WhatsApp account.");
}

function statusOf(error: unknown): number {
  const { output } = (error ?? {}) as { output?: { statusCode?: number } };
  return output?.statusCode ?? 500;
}

/** The attributes of a `<failure>`, which Baileys gives as the error's data; undefined for any other end. */
function failureOf(error: unknown): Failure | undefined {
  const { data } = (error ?? {}) as { data?: { reason?: unknown; expire?: unknown; code?: unknown } };
  if (typeof data?.reason !== "string") return undefined;
  const expire = data.expire === undefined ? undefined : Number(data.expire);
  return {
    ...(expire !== undefined && Number.isFinite(expire) ? { expire } : {}),
    ...(typeof data.code === "string" ? { cause: data.code.slice(0, 16) } : {}),
  };
}
