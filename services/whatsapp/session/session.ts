import { jidNormalizedUser, proto } from "@whiskeysockets/baileys";
import { existsSync } from "node:fs";
import { AppError, messageOf } from "../../../lib/core/errors.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import { limitsOf } from "../../../lib/contracts/shard/pacing.ts";
import type { PacingLimits, PacingSettings, PacingView } from "../../../lib/contracts/shard/pacing.ts";
import type {
  BatchMessage,
  SessionEventData,
  SessionStatus,
  SessionView,
} from "../../../lib/contracts/shard/schemas.ts";
import { AuthState } from "../auth/auth_state.ts";
import { AuthStore, AuthStoreError } from "../auth/auth_store.ts";
import { readHalt, writeHalt } from "../auth/halt.ts";
import type { Halt } from "../auth/halt.ts";
import type { KeyRing } from "../../../lib/core/key_ring.ts";
import { chatOf } from "../codec/jid.ts";
import { isDrawnByLot, outgoingMessage } from "../codec/outgoing.ts";
import type { Line } from "../chats/line.ts";
import { PacedTurn } from "../pacing/paced_turn.ts";
import { Pacer } from "../pacing/pacer.ts";
import type { Paced } from "../pacing/pacer.ts";
import type { Attempts } from "../receiving/attempts.ts";
import type { Journal } from "../receiving/journal.ts";
import { Placeholders } from "../receiving/placeholders.ts";
import { Lane } from "../sending/lane.ts";
import type { Outcome, Outgoing } from "../sending/lane.ts";
import type { Ledger } from "../sending/ledger.ts";
import type { Turns } from "../sending/turns.ts";
import type { ShardMetrics } from "../shard_metrics.ts";
import { Connection } from "./connection.ts";
import { GarbleWatch } from "./garble_watch.ts";
import type { HearingTimes } from "./hearing.ts";
import { transition } from "./state.ts";
import type { Action, Event, Halted, State } from "./state.ts";

export type SessionOptions = {
  businessId: string;
  shard: number;
  /** Path of its auth store. */
  storePath: string;
  keys: KeyRing;
  ledger: Ledger;
  journal: Journal;
  /** Shared by the sessions of the shard. */
  attempts: Attempts;
  /** Shared by the sessions of the shard. */
  turns: Turns;
  /** WhatsApp's WebSocket. */
  url: string;
  logger: Logger;
  metrics: ShardMetrics;
  /** Whether an account is paced whose business did not choose. */
  paced: boolean;
  /** The platform's own limits, as they are now. */
  platformPacing?: (() => PacingSettings) | undefined;
  /** When a silent connection is probed. */
  hearing?: HearingTimes | undefined;
  /** Milliseconds until a message that cannot be prepared may fail. */
  patienceMs?: number | undefined;
  /** WhatsApp Web's version that the client names; undefined for Baileys' own. */
  waVersion?: (() => string | undefined) | undefined;
  /** Throws where this process no longer owns the shard. */
  fence: () => void;
  /** Puts the auth store out of the way; it is closed by then. */
  setAside: () => void;
};

/** How long a batch waits for a session that is about to open: a reconnect passes unnoticed. */
const holdMs = 3_000;
/** How long a batch may take in all. Under the 15 s that its caller waits. */
const batchDeadlineMs = 12_000;

/**
 * One message of a chat is in flight at a time. WhatsApp may refuse a message for a moment (503) and accept the one behind
 * it, which would then overtake it.
 */
const chatWindow = 1;
/** WhatsApp's trouble may last for minutes; a message that cannot be prepared for longer fails. */
const defaultPatienceMs = 120_000;

/** A message that has to wait before it may be handed over. */
export type PacedOutcome = { status: "paced" } & Paced;
export type SessionOutcome = Outcome | PacedOutcome;

type Identity = { phone: string | null; lid: string | null; name: string | null };
const nobody: Identity = { phone: null, lid: null, name: null };

/** One business's WhatsApp login on this shard: carries out what the state machine decides. */
export class Session {
  readonly businessId: string;
  readonly #options: SessionOptions;
  readonly #log: Logger;
  readonly #lane: Lane;
  #state: State = { is: "disconnected" };
  #status: SessionStatus = "disconnected";
  #since = Date.now();
  #store: AuthStore | undefined;
  #auth: AuthState | undefined;
  #connection: Connection | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #identity = nobody;
  #paired = false;
  #lastInboundAt: number | undefined;
  #waiters: (() => void)[] = [];
  #leaving = false;
  readonly #garble = new GarbleWatch();
  readonly #pacer: Pacer;
  /** Those that the last batch was sent under. */
  #limits: PacingLimits | undefined;

  constructor(options: SessionOptions) {
    this.businessId = options.businessId;
    this.#options = options;
    this.#log = options.logger.child({ business_id: options.businessId });
    this.#lane = new Lane({
      businessId: options.businessId,
      ledger: options.ledger,
      logger: this.#log,
      fence: options.fence,
      turns: options.turns,
      chatWindow,
      patienceMs: options.patienceMs ?? defaultPatienceMs,
      onOverdue: () => this.#overdue(),
      onVerdict: (verdict, ms) => {
        options.metrics.verdict(verdict.status, ms);
        if (verdict.status === "failed" && this.#limits?.enabled) this.#pacer.refused(verdict.error.code);
      },
    });
    this.#pacer = new Pacer({
      store: () => this.#store,
      onStop: ({ holds, code, until }) => {
        options.metrics.alarm();
        const till = new Date(until).toISOString();
        this.#log.error(
          { alarm: true, code, holds, until: till },
          "WhatsApp refused a message as one too many; the account is stopped",
        );
      },
    });
  }

  get status(): SessionStatus {
    return this.#status;
  }

  get paired(): boolean {
    return this.#paired;
  }

  /** At the start of the process: reads the store, and opens a linked login after its turn in the stagger. */
  resume(afterMs: number): void {
    const store = this.#loaded();
    if (store === undefined || !this.#paired) return;
    // Keys are uploaded at the first login: until then this one has never opened.
    const fresh = this.#auth?.creds.firstUnuploadedPreKeyId === 1;
    let halted: Halt | undefined;
    try {
      halted = readHalt(store);
    } catch (error) {
      // Whether it may be opened is not known: somebody has to look. The other sessions of the shard must not wait for that.
      return this.#dispatch({ is: "store_refused", reason: `the note of a halt cannot be read: ${messageOf(error)}` });
    }
    this.#dispatch({ is: "resume", afterMs, halted, fresh });
  }

  /** Begins a pairing, or opens a login that is linked already. */
  connect(want: { method: "qr" } | { method: "code"; phone: string }): void {
    this.#options.fence();
    if (this.#loaded() === undefined) return;
    this.#dispatch({ is: "connect", paired: this.#paired, want });
  }

  /**
   * Sends messages in order.
   * @throws AppError "conflict" where no phone is linked, "unavailable" where the session is not open, "rate_limited" where its lane is full.
   */
  async send(messages: readonly BatchMessage[], settings?: PacingSettings | null): Promise<SessionOutcome[]> {
    if (this.#leaving) throw new AppError("unavailable", "The business moves to another shard.", { retryAfterS: 1 });
    this.#refuseUnpaired();
    await this.#openSoon();
    const outgoing = messages.map((message) => ({ ...this.#outgoing(message), bulk: message.bulk ?? false }));
    const held = await this.#pace(outgoing, limitsOf(settings, this.#options.paced, this.#options.platformPacing?.()));
    const going = outgoing.filter(({ waMessageId }) => !held.has(waMessageId));
    const undecided = Promise.withResolvers<Outcome>();
    const timer = setTimeout(() => undecided.resolve({ status: "retry" }), batchDeadlineMs);
    try {
      const outcomes = (await this.#lane.send(going, undecided.promise)).values();
      return outgoing.map(({ waMessageId }) => held.get(waMessageId) ?? outcomes.next().value!);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Asks something of WhatsApp through the open connection.
   * @throws AppError "conflict" where no phone is linked, "unavailable" where the session is not open.
   */
  async use<T>(work: (line: Line) => Promise<T>): Promise<T> {
    this.#options.fence();
    this.#refuseUnpaired();
    await this.#openSoon();
    return work(this.#connection!.line);
  }

  /** Which of the messages have to wait, and how long. With one that waits, everything behind it in its chat does. */
  async #pace(
    messages: readonly (Outgoing & { bulk: boolean })[],
    limits: PacingLimits,
  ): Promise<Map<string, PacedOutcome>> {
    this.#limits = limits;
    const held = new Map<string, PacedOutcome>();
    if (!limits.enabled) return held;
    this.#options.fence();
    const turn = new PacedTurn(this.#pacer, limits);
    const connection = this.#connection;
    for (const { waMessageId, chat, bulk } of messages) {
      if (this.#lane.has(waMessageId)) continue;
      const firstContact = !(await connection?.isAcquainted(chat));
      // One that is over knows nobody.
      if (connection === undefined || this.#connection !== connection) {
        throw new AppError("unavailable", "The connection was lost.", { retryAfterS: 2 });
      }
      // One that was let go before, and of which nothing is decided, is counted already.
      const begins = firstContact && this.#options.ledger.body(this.businessId, waMessageId) === undefined;
      const paced = turn.admit(chat, { firstContact: begins, bulk });
      if (paced !== undefined) held.set(waMessageId, { status: "paced", ...paced });
    }
    return held;
  }

  /** Where the account stands with its limits. */
  pacing(settings: PacingSettings | null): PacingView {
    this.#loaded();
    const limits = limitsOf(settings, this.#options.paced, this.#options.platformPacing?.());
    return { limits, state: this.#pacer.state(limits) };
  }

  /** Lets the account send again that WhatsApp's refusals have stopped. */
  resumePacing(): void {
    this.#options.fence();
    this.#loaded();
    this.#pacer.resume();
  }

  #refuseUnpaired(): void {
    if (this.#paired) return;
    throw new AppError("conflict", "No phone is linked to this business: connect it and scan the QR code first.");
  }

  #outgoing(content: BatchMessage): Outgoing {
    const { wa_message_id: waMessageId, to } = content;
    const chat = chatOf(to);
    const earlier = isDrawnByLot(content) ? this.#options.ledger.body(this.businessId, waMessageId) : undefined;
    const own = { phone: jidNormalizedUser(this.#auth?.creds.me?.id), lid: this.#identity.lid ?? undefined };
    return {
      waMessageId,
      chat,
      message: earlier ? proto.Message.decode(earlier) : outgoingMessage(content, chat, own),
    };
  }

  /** Logs out at WhatsApp, as far as that can be reached, and sets the auth state aside. */
  async logout(): Promise<void> {
    this.#options.fence();
    if (this.#state.is === "open") {
      await Promise.race([this.#connection?.logout(), Bun.sleep(2_000)]).catch((error: unknown) =>
        this.#log.warn(
          { cause: messageOf(error) },
          "WhatsApp was not told of the logout; the phone still lists this device",
        ),
      );
    }
    this.#dispatch({ is: "logout" });
  }

  /** Another client version was set: a login that WhatsApp refused for the old one is tried again now. */
  versionChanged(): void {
    if (this.#state.is === "waiting" && this.#state.outdated) this.#dispatch({ is: "due" });
  }

  /** Resolves when no message waits or is on its way. */
  drained(): Promise<void> {
    return this.#lane.drained();
  }

  /**
   * Closes it for good in this process, and tells nobody: the login goes on elsewhere. What is on its way has
   * `graceMs` to be acknowledged; nothing new is taken.
   */
  async leave(graceMs: number): Promise<void> {
    this.#leaving = true;
    const grace = Promise.withResolvers<void>();
    const timer = setTimeout(grace.resolve, graceMs);
    await Promise.race([this.drained(), grace.promise]);
    clearTimeout(timer);
    await this.stop("the business moves to another shard");
  }

  /** Closes the socket without logging out, and then the store. */
  async stop(reason?: string): Promise<void> {
    const connection = this.#connection;
    this.#dispatch({ is: "stop", ...(reason === undefined ? {} : { reason }) });
    await connection?.drop();
    this.#store?.close();
    this.#store = undefined;
  }

  view(): SessionView {
    const state = this.#state;
    const lastInboundAt = this.#connection?.lastInboundAt ?? this.#lastInboundAt;
    const reason = "reason" in state ? state.reason : undefined;
    return {
      business_id: this.businessId,
      shard: this.#options.shard,
      status: this.#status,
      ...this.#identity,
      paired: this.#paired,
      since: new Date(this.#since).toISOString(),
      queue_depth: this.#lane.depth,
      last_inbound_at: lastInboundAt === undefined ? null : new Date(lastInboundAt).toISOString(),
      ...(reason === undefined ? {} : { reason }),
      ...(state.is === "banned" ? { banned_until: new Date(state.until).toISOString() } : {}),
      ...(state.is === "pairing" && state.show === "qr"
        ? { qr: state.value, qr_expires_at: new Date(state.expiresAt).toISOString() }
        : {}),
      ...(state.is === "pairing" && state.show === "code" ? { code: state.value } : {}),
    };
  }

  /** The store, opened where it is not; a store that cannot be used stops the session with the reason. */
  #loaded(): AuthStore | undefined {
    if (this.#store) return this.#store;
    try {
      this.#store = AuthStore.open(this.#options.storePath, this.businessId, this.#options.keys);
      this.#renewAuth(this.#store);
      return this.#store;
    } catch (error) {
      // It may hold a login: nobody is to be told that there is none, nor messages to fail for it.
      this.#paired ||= existsSync(this.#options.storePath);
      if (error instanceof AuthStoreError || this.#state.is !== "disconnected") this.#storeFault(error);
      else this.#dispatch({ is: "unread", reason: `the auth store cannot be opened: ${messageOf(error)}` });
      return undefined;
    }
  }

  #renewAuth(store: AuthStore): AuthState {
    this.#auth?.revoke();
    const auth = new AuthState({ store, fence: this.#options.fence, onFault: (error) => this.#storeFault(error) });
    this.#auth = auth;
    this.#paired = auth.paired;
    this.#identity = identityOf(auth);
    return auth;
  }

  #storeFault(error: unknown): void {
    const reason = messageOf(error);
    if (error instanceof AuthStoreError) this.#dispatch({ is: "store_refused", reason });
    else this.#dispatch({ is: "volume_refused", reason: `the auth store does not take writes: ${reason}` });
  }

  #dispatch(event: Event): void {
    const before = this.#state;
    const { state, actions } = transition(before, event, Date.now());
    this.#state = state;
    if (before.is === "open" && state.is !== "open") this.#lane.close();
    if (state.is !== "waiting" && state.is !== "banned") clearTimeout(this.#timer);
    if (event.is === "ended") {
      this.#options.metrics.ended(event.code);
      this.#log.info({ code: event.code, state: state.is }, "a connection ended");
      this.#forgetConnection();
    }
    for (const action of actions) this.#perform(action);
    this.#publish();
  }

  #perform(action: Action): void {
    switch (action.do) {
      case "dial":
        return this.#dial();
      case "hang_up":
        void this.#connection?.drop();
        return this.#forgetConnection();
      case "wait":
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#dispatch({ is: "due" }), action.ms);
        return;
      case "resume":
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.resume(0), action.ms);
        return;
      case "set_aside":
        return this.#setAside();
      case "renew":
        this.#store?.close();
        this.#store = undefined;
        return;
      case "halt":
        return this.#noteHalt(haltOf(action));
      case "unhalt":
        return this.#noteHalt(undefined);
      case "alarm":
        this.#options.metrics.alarm();
        this.#log.error({ alarm: true, reason: action.reason }, "a session needs attention");
        return;
    }
  }

  #dial(): void {
    const store = this.#loaded();
    if (store === undefined) return;
    try {
      const auth = this.#renewAuth(store);
      this.#connection = this.#connectionWith(auth, new Placeholders(store));
    } catch (error) {
      // A socket that cannot even be made: the address, most likely.
      this.#log.error({ cause: messageOf(error) }, "a connection could not be begun");
      this.#dispatch({ is: "ended", code: 500 });
    }
  }

  #connectionWith(auth: AuthState, placeholders: Placeholders): Connection {
    const { url, ledger, journal, metrics, attempts } = this.#options;
    const pairing = "pairing" in this.#state ? this.#state.pairing : undefined;
    const version = this.#options.waVersion?.();
    return new Connection({
      businessId: this.businessId,
      url,
      version,
      auth,
      placeholders,
      attempts,
      hearing: this.#options.hearing,
      pairingPhone: pairing?.method === "code" ? pairing.phone : undefined,
      sentMessage: (waMessageId) => ledger.body(this.businessId, waMessageId),
      logger: this.#log,
      events: {
        shown: (show, value, expiresAt) => this.#dispatch({ is: "shown", show, value, expiresAt }),
        paired: () => {
          this.#keepPairing();
          this.#paired = auth.paired;
          this.#identity = identityOf(auth);
          this.#dispatch({ is: "paired" });
        },
        opened: () => this.#opened(auth),
        ended: (code, failure) => {
          this.#dispatch({ is: "ended", code, failure });
          // The version was changed while this connection still named the old one.
          if (version !== this.#options.waVersion?.()) this.versionChanged();
        },
        acknowledged: (waMessageId, refusal) => void this.#lane.acknowledged(waMessageId, refusal),
        received: async (message) => {
          this.#garble.decrypted();
          await journal.append("inbound", this.businessId, message);
          metrics.received();
        },
        receipt: (receipt) => journal.append("receipts", this.businessId, receipt),
        quarantined: async (message) => {
          metrics.quarantined();
          if (message !== undefined) await journal.append("inbound", this.businessId, message);
        },
        stanzaFailed: (tag) => metrics.stanzaFailed(tag),
        deaf: (heard) => {
          metrics.deaf();
          this.#dispatch({ is: "deaf", heard });
        },
        undecryptable: ({ sender, acquainted }) => {
          metrics.undecryptable();
          if (acquainted && this.#garble.failed(sender)) this.#dispatch({ is: "garbled" });
        },
        volumeRefused: (error) =>
          this.#dispatch({
            is: "volume_refused",
            reason: `the shard's volume does not take writes: ${messageOf(error)}`,
          }),
      },
    });
  }

  /** Without the credentials of a pairing the code would have to be scanned again: a power cut must not take them. */
  #keepPairing(): void {
    try {
      this.#store?.sync();
    } catch (error) {
      this.#log.error({ cause: messageOf(error) }, "the credentials of a pairing may not survive a power cut");
    }
  }

  #opened(auth: AuthState): void {
    this.#paired = auth.paired;
    this.#identity = identityOf(auth);
    this.#dispatch({ is: "opened" });
    const connection = this.#connection;
    if (this.#state.is !== "open" || connection === undefined) return;
    this.#lane.open((chat, message, waMessageId) => connection.relay(chat, message, waMessageId));
    for (const wake of this.#waiters.splice(0)) wake();
  }

  /** An acknowledgement did not come: of the connection nothing more is to be expected. */
  #overdue(): void {
    void this.#connection?.drop();
    this.#dispatch({ is: "ended", code: 408 });
  }

  #forgetConnection(): void {
    this.#lastInboundAt = this.#connection?.lastInboundAt ?? this.#lastInboundAt;
    this.#connection = undefined;
    this.#auth?.revoke();
  }

  #noteHalt(halt: Halt | undefined): void {
    if (this.#store === undefined) return;
    try {
      this.#options.fence();
      writeHalt(this.#store, halt);
    } catch (error) {
      this.#log.error({ cause: messageOf(error) }, "a halt could not be noted; a restart will try this login again");
    }
  }

  #setAside(): void {
    this.#auth?.revoke();
    this.#auth = undefined;
    this.#store?.close();
    this.#store = undefined;
    this.#options.setAside();
    this.#paired = false;
    this.#identity = nobody;
  }

  /** Waits a moment for a session that is on its way to open. */
  async #openSoon(): Promise<void> {
    if (this.#state.is === "open") return;
    if (this.#state.is === "connecting" || this.#state.is === "waiting") {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, holdMs);
      this.#waiters.push(resolve);
      await promise;
      clearTimeout(timer);
      this.#waiters = this.#waiters.filter((waiter) => waiter !== resolve);
    }
    if (this.#status !== "open") {
      const passing = this.#state.is === "connecting" || this.#state.is === "waiting";
      const reason = "reason" in this.#state && this.#state.reason !== undefined ? `: ${this.#state.reason}` : "";
      throw new AppError("unavailable", `The session is ${this.#status}, not open${reason}.`, {
        retryAfterS: passing ? 2 : 30,
      });
    }
  }

  /** Tells the journal of a status that changed. */
  #publish(): void {
    const status = statusOf(this.#state);
    if (status === this.#status || this.#leaving) return;
    this.#status = status;
    this.#since = Date.now();
    const { reason } = this.view();
    this.#log.info({ status, ...(reason ? { reason } : {}) }, "session");
    const data: SessionEventData = {
      event: "session.status",
      status,
      ...this.#identity,
      paired: this.#paired,
      since: new Date(this.#since).toISOString(),
      ...(reason ? { reason } : {}),
    };
    this.#options.journal
      .append("events", this.businessId, data)
      .catch((error: unknown) =>
        this.#log.error({ cause: messageOf(error) }, "a session event could not be written down"),
      );
  }
}

const haltOf = (halted: Halted): Halt =>
  halted.is === "banned"
    ? { is: halted.is, reason: halted.reason, until: halted.until }
    : { is: halted.is, reason: halted.reason };

function statusOf(state: State): SessionStatus {
  if (state.is === "pairing") return state.show;
  return state.is === "waiting" ? "connecting" : state.is;
}

function identityOf(auth: AuthState): Identity {
  const { me } = auth.creds;
  if (!auth.paired || !me) return nobody;
  return {
    phone: jidNormalizedUser(me.id).split("@")[0] ?? null,
    lid: me.lid ? jidNormalizedUser(me.lid) : null,
    name: me.name && me.name !== "~" ? me.name : null,
  };
}
