import { makeWASocket } from "@whiskeysockets/baileys";
import type { BinaryNode, ConnectionState, WASocket } from "@whiskeysockets/baileys";
import { messageOf } from "../../../lib/core/errors.ts";
import type { AccountName } from "../../../lib/contracts/shard/schemas.ts";
import { AccountBook } from "../accounts/account_book.ts";
import { MemberLookup } from "../accounts/member_lookup.ts";
import type { OpenSocket } from "../chats/query.ts";
import { truncate, maxLoggedError, maxLoggedId } from "../codec/bounds.ts";
import { Intake } from "../receiving/intake.ts";
import { untilDurable } from "../receiving/until_durable.ts";
import { StandingWatch } from "../pacing/standing.ts";
import type { RelayMessage } from "../sending/lane_options.ts";
import { Relay } from "../sending/relay.ts";
import { refusalIn } from "./ack_refusal.ts";
import { Backlog, batchRequest } from "./backlog.ts";
import type { ConnectionControl, ConnectionEvents, ConnectionOptions } from "./connection_options.ts";
import { DeafnessDetector, defaultDeafnessTimes } from "./deafness_detector.ts";
import { endOf } from "./ends.ts";
import type { End } from "./ends.ts";
import { startSaltFetch } from "./fetch_salt.ts";
import { OutputGate } from "./output_gate.ts";
import { acknowledgementOf, delivered, isChannelStatus, unknownName } from "./protocol.ts";
import { PairingCodes } from "./pairing_codes.ts";
import { PasskeyExchange } from "./passkey/exchange.ts";
import { sendProbe } from "./probe.ts";
import { socketConfig } from "./socket_config.ts";
import { isolateStanzaListeners } from "./stanza_listeners.ts";
import { Watchdog } from "./watchdog.ts";

/** WhatsApp's offer of QR references to an unlinked client. */
const pairDevice = "CB:iq,type:set,pair-device";
/** How long a graceful close may take before the socket is cut. */
const closeDeadlineMs = 1000;

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
  readonly #backlog = new Backlog({ request: () => this.#sendNode(batchRequest) });
  readonly #deafness: DeafnessDetector;
  readonly #standing: StandingWatch;
  readonly #codes: PairingCodes;
  readonly passkey: PasskeyExchange;
  readonly #intake: Intake;
  /** The names of accounts. */
  readonly accounts: AccountBook;
  readonly #relay: Relay;
  readonly #watchdog: Watchdog;
  #over = false;
  #closing: Promise<void> | undefined;
  /** Time of the last frame from WhatsApp, Unix ms. */
  lastInboundAt: number | undefined;

  constructor(options: ConnectionOptions) {
    const control: ConnectionControl = {
      isOver: () => this.#over,
      unlessOver: (handle) => this.#unlessOver(handle),
      failVolume: (error) => this.#failVolume(error),
      holdOutput: (durable) => this.#gate.after(durable),
      end: (code) => this.#end({ code }),
      endIfSilentSince: (at) => {
        if ((this.lastInboundAt ?? 0) < at) this.#end({ code: 408 });
      },
      endUnlessBy: (ms) => this.#watchdog.expireIn(ms),
    };
    const me = () => options.auth.creds.me;
    const socket = () => this.#socket;
    this.#options = options;
    this.#events = options.events;
    this.#codes = new PairingCodes({ ...options, socket, control });
    this.passkey = new PasskeyExchange({
      ...options,
      times: options.passkeyTimes,
      socket,
      control,
      suspendCodes: () => this.#codes.suspend(),
    });
    const announce = (names: AccountName[]) => untilDurable(this.#events.identified(names), control);
    this.accounts = new AccountBook({ auth: options.auth, announce });
    const { accounts } = this;
    const members = new MemberLookup({ socket, groupOf: (group) => this.#relay.groups.of(group) });
    const onUnknownMember = (group: string, lid: string) => control.unlessOver(() => members.find(group, lid));
    this.#intake = new Intake({ ...options, me, control, accounts, onUnknownMember });
    this.#relay = new Relay({
      keys: options.auth.keys,
      queries: options.cooldowns.queries,
      timers: options.timers,
      contactSalt: () => options.contactSalt.get(),
      handedAt: options.handedAt,
      setRecipients: options.setRecipients,
      socket,
      me,
      control,
      accounts,
    });
    this.#socket = makeWASocket(socketConfig(options, { intake: this.#intake, relay: this.#relay, control, accounts }));
    // makeWASocket creates it synchronously, and it lives as long as the socket.
    this.#raw = (this.#socket.ws as unknown as { socket: RawSocket }).socket;
    const send = this.#raw.send.bind(this.#raw);
    this.#gate = new OutputGate(send, (error) => this.#failVolume(error));
    this.#raw.send = (data, callback) => this.#gate.send(data, callback);
    options.auth.beforeCommit = (durable) => this.#gate.after(durable);
    this.#standing = new StandingWatch({
      socket,
      known: options.standing,
      onChange: (change) => this.#unlessOver(() => this.#events.restricted(change)),
      logger: options.logger,
    });
    this.#deafness = new DeafnessDetector({
      ...(options.deafness ?? defaultDeafnessTimes),
      probe: () => sendProbe(this.#socket, me()),
      onDeaf: (heard) => this.#unlessOver(() => this.#events.deaf(heard)),
    });
    this.#watchdog = new Watchdog({
      loginDeadlineMs: options.connectDeadlineMs,
      onExpired: () => this.#end({ code: 408 }),
    });
    this.#listen();
  }

  /** Hands one message to WhatsApp, see `Relay.send`. */
  relay(...message: Parameters<RelayMessage>): Promise<void> {
    return this.#relay.send(...message);
  }

  /** True if this chat has earlier messages, in either direction. */
  isAcquainted(chat: string): Promise<boolean> {
    return this.#relay.isAcquainted(chat);
  }

  /** For queries to WhatsApp other than messages. */
  get openSocket(): OpenSocket {
    return { socket: this.#socket, accounts: this.accounts, groupOf: (group) => this.#relay.groups.of(group) };
  }

  /** Notifies WhatsApp that this device is logged out. Reports no end. */
  async logout(): Promise<void> {
    // A frame that the gate holds back when the socket closes is lost.
    await this.#gate.passed();
    this.#over = true;
    await this.#socket.logout("logged out on request");
  }

  /** Closes the socket without logging out. Resolves when it is closed. */
  drop(): Promise<void> {
    this.#over = true;
    return this.#close();
  }

  #listen(): void {
    const { ev, ws } = this.#socket;
    ev.on("creds.update", () => this.#unlessOver(() => this.#options.auth.saveCreds()));
    ev.on("connection.update", (update) => this.#unlessOver(() => this.#updated(update)));
    // The code is a gateway's and says nothing about the login. Baileys would wait for a close that does not come.
    ws.once("unexpected-response", () => this.#end({ code: 503 }));
    ws.once("frame", () => this.#unlessOver(() => this.#watchdog.awaitLogin()));
    ws.on("frame", (stanza: Partial<BinaryNode>) => {
      this.lastInboundAt = Date.now();
      this.#watchdog.heard();
      this.#unlessOver(() => this.#backlog.arrived(stanza));
      const name = unknownName(stanza);
      if (name !== undefined) this.#unlessOver(() => this.#unknown(name, stanza));
      if (stanza.tag !== undefined && delivered.has(stanza.tag)) this.#deafness.heard();
    });
    // Before Baileys' own listeners, which lead to the acknowledgement.
    ws.prependListener("CB:message", (stanza: BinaryNode) => this.#intake.stanza(stanza));
    // Differs from a message in its tag alone, which names the acknowledgement's class.
    ws.on("CB:status", (stanza: BinaryNode) => {
      if (isChannelStatus(stanza)) this.#unlessOver(() => this.#acknowledge(stanza));
      else ws.emit("CB:message", stanza);
    });
    ws.prependListener("CB:receipt", (stanza: BinaryNode) => this.#unlessOver(() => this.#intake.receipt(stanza)));
    // Baileys' own listener ends the connection when the references are used up, even amid a link with a passkey.
    ws.removeAllListeners(pairDevice);
    ws.on(pairDevice, (stanza: BinaryNode) => this.#unlessOver(() => void this.#offered(stanza)));
    ws.on("CB:notification,type:passkey_prologue_request", (stanza: BinaryNode) => this.passkey.requested(stanza));
    ws.on("CB:notification,type:crsc_continuation", (stanza: BinaryNode) => this.passkey.continued(stanza));
    ws.on("CB:notification,type:companion_reg_refresh", (stanza: BinaryNode) =>
      this.#unlessOver(() => this.#codes.refreshSecret(stanza)),
    );
    ws.on("CB:notification,type:w:gp2", (stanza: BinaryNode) =>
      this.#unlessOver(() => this.#relay.groupChanged(stanza)),
    );
    ws.on("CB:ack,class:message", ({ attrs }: BinaryNode) =>
      this.#unlessOver(() => {
        if (attrs["error"] !== undefined) this.#relay.refused(attrs["from"], attrs["error"]);
        if (attrs["phash"] !== undefined) this.#relay.devicesChanged(attrs["from"]);
        if (attrs["id"]) this.#events.acknowledged(attrs["id"], refusalIn(attrs));
      }),
    );
    ws.prependListener("CB:iq,type:error", (stanza: BinaryNode) => this.#relay.queryRefused(stanza));
    isolateStanzaListeners(ws, (stanza, error) => this.#stanzaFailed(stanza, error));
  }

  /** Goes on with an earlier connection's link, or shows the codes of WhatsApp's offer. */
  async #offered(stanza: BinaryNode): Promise<void> {
    this.#codes.acknowledgeOffer(stanza);
    if (!(await this.passkey.resume())) this.#unlessOver(() => this.#codes.offered(stanza));
  }

  #unknown(name: string, stanza: Partial<BinaryNode>): void {
    this.#events.unknownStanza(truncate(name, maxLoggedId));
    this.#acknowledge(stanza);
  }

  /** Acknowledges a stanza that Baileys does not acknowledge. */
  #acknowledge(stanza: Partial<BinaryNode>): void {
    const acknowledgement = acknowledgementOf(stanza);
    if (acknowledgement !== undefined) this.#sendNode(acknowledgement);
  }

  #sendNode(stanza: BinaryNode): void {
    this.#socket.sendNode(stanza).catch((error: unknown) => this.#stanzaFailed(stanza, error));
  }

  #stanzaFailed({ tag = "", attrs }: Partial<BinaryNode>, error: unknown): void {
    const id = truncate(attrs?.["id"] ?? "", maxLoggedId);
    this.#options.logger.warn(
      { tag: truncate(tag, maxLoggedId), stanza: id, error: truncate(messageOf(error), maxLoggedError) },
      "a listener failed with a stanza",
    );
    this.#events.stanzaFailed(delivered.has(tag) ? tag : "other");
  }

  #unlessOver(handle: () => void): void {
    if (!this.#over) handle();
  }

  #updated({ connection, isNewLogin, lastDisconnect }: Partial<ConnectionState>): void {
    if (isNewLogin) {
      this.passkey.stop();
      this.#codes.linked();
      this.#watchdog.awaitLogin();
    }
    if (connection === "open") this.#opened();
    if (connection === "close") this.#end(endOf(lastDisconnect?.error));
  }

  #opened(): void {
    this.#watchdog.watchSilence();
    this.#deafness.start();
    this.#standing.start();
    void this.#options.history.readPending();
    this.#events.opened();
    startSaltFetch(this.#socket, { ...this.#options, unlessOver: (handle) => this.#unlessOver(handle) });
    this.#intake
      .opened(this.#socket)
      .catch((error: unknown) =>
        this.#options.logger.warn(
          { error: messageOf(error) },
          "the content of placeholder messages could not be requested from the phone",
        ),
      );
  }

  /** Nothing may be acknowledged any more: cuts the socket at once, then reports. */
  #failVolume(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#raw.terminate();
    void this.#close();
    this.#events.volumeFailed(error);
  }

  #end(end: End): void {
    if (this.#over) return;
    this.#over = true;
    void this.#close();
    this.#events.ended(end);
  }

  #close(): Promise<void> {
    this.#backlog.stop();
    this.#deafness.stop();
    this.#codes.suspend();
    this.passkey.stop();
    this.#standing.stop();
    this.#options.history.stop();
    this.#watchdog.stop();
    return (this.#closing ??= this.#closeGracefully());
  }

  async #closeGracefully(): Promise<void> {
    const terminated = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      this.#raw.terminate();
      terminated.resolve();
    }, closeDeadlineMs);
    await Promise.race([Promise.resolve(this.#socket.end(undefined)), terminated.promise]);
    clearTimeout(timer);
  }
}
