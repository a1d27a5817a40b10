import { jidNormalizedUser } from "@whiskeysockets/baileys";
import { AppError, messageOf } from "../../../lib/core/errors.ts";
import { withinGrace } from "../../../lib/core/time.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { PacingSettings, PacingView } from "../../../lib/contracts/shard/pacing.ts";
import type { PasskeyAssertion } from "../../../lib/contracts/shard/passkey.ts";
import type {
  BatchMessage,
  SessionSettings,
  SessionStatus,
  SessionView,
} from "../../../lib/contracts/shard/schemas.ts";
import type { Suspension } from "../auth/suspension.ts";
import type { OpenSocket } from "../chats/query.ts";
import { Statuses } from "../receiving/statuses.ts";
import type { SendResult } from "../sending/result.ts";
import { createCooldowns } from "../sending/cooldowns.ts";
import type { Cooldowns } from "../sending/cooldowns.ts";
import { Sender } from "../sending/sender.ts";
import type { Connection } from "./connection.ts";
import { CurrentConnection } from "./current_connection.ts";
import { Login } from "./login.ts";
import { assertNot, assertPaired } from "./guards.ts";
import { LoginInterval } from "./login_interval.ts";
import { OpenWaiters } from "./open_waiters.ts";
import { isActive } from "./after_end.ts";
import type { SessionOptions } from "./session_options.ts";
import { StatusJournal } from "./status_journal.ts";
import { StateMachine } from "./state_machine.ts";
import type { Effects } from "./state_machine.ts";
import type { Event, State, Want } from "./states.ts";
import { openFault, storeFault } from "./store_faults.ts";
import { viewOf } from "./view.ts";

/** One business's WhatsApp login on this shard. Performs what `transition` decides. */
export class Session {
  readonly businessId: string;
  readonly #options: SessionOptions;
  readonly #log: Logger;
  readonly #login: Login;
  readonly #sender: Sender;
  /** The waits after WhatsApp's temporary refusals. */
  readonly cooldowns: Cooldowns;
  readonly #statuses = new Statuses(() => this.#login.store);
  readonly #openWaiters = new OpenWaiters(() => this.#state);
  readonly #journaled: StatusJournal;
  readonly #connection: CurrentConnection;
  readonly #machine = new StateMachine(this.#effects());
  readonly #logins: LoginInterval;
  #leaving = false;

  constructor(options: SessionOptions) {
    this.#logins = new LoginInterval(options.loginIntervalMs);
    this.businessId = options.businessId;
    this.#options = options;
    this.#log = options.logger.child({ business_id: options.businessId });
    this.#login = new Login({
      ...options,
      logger: this.#log,
      onOpenFault: (error) => this.#dispatch(openFault(error, this.#state)),
      onStoreFault: (error) => this.#dispatch(storeFault(error)),
    });
    this.#journaled = new StatusJournal(options.journal, this.businessId, this.#log);
    this.cooldowns = createCooldowns(options.waitScale);
    this.#sender = new Sender({
      ...options,
      cooldowns: this.cooldowns,
      logger: this.#log,
      store: () => this.#login.store,
      own: () => ({
        phone: jidNormalizedUser(this.#login.auth?.creds.me?.id),
        lid: this.#login.identity.lid ?? undefined,
      }),
      connection: () => this.#connection.get(),
      onOverdue: () => this.#overdue(),
    });
    this.#connection = new CurrentConnection({
      ...options,
      logger: this.#log,
      login: this.#login,
      dispatch: (event) => this.#dispatch(event),
      onOpened: (connection) => this.#opened(connection),
      cooldowns: this.cooldowns,
      statuses: this.#statuses,
      standing: () => this.#sender.standing,
      onRestricted: (change) => this.#sender.restricted(change),
      onAcknowledged: (waMessageId, refusal) => this.#sender.acknowledged(waMessageId, refusal),
      onOutdated: () => this.versionChanged(),
    });
  }

  get status(): SessionStatus {
    return this.#journaled.status;
  }

  get paired(): boolean {
    return this.#login.paired;
  }

  /** Called at the start of the process: reads the store, and opens a linked login after `afterMs`. */
  resume(afterMs: number): void {
    if (this.#login.load() === undefined || !this.#login.paired) return;
    // The first login uploads keys: before that, this login has never opened.
    const fresh = this.#login.auth?.creds.firstUnuploadedPreKeyId === 1;
    let suspension: Suspension | undefined;
    try {
      suspension = this.#login.readSuspension();
    } catch (error) {
      // It is unknown whether the login may be opened: an operator must check. The shard's other sessions go on.
      const reason = `the record of a suspension cannot be read: ${messageOf(error)}`;
      return this.#dispatch({ is: "store_invalid", reason });
    }
    this.#dispatch({ is: "resume", afterMs, suspension, fresh });
  }

  /**
   * Starts a pairing, or opens a login that is linked already.
   * @throws AppError "rate_limited" if such a login was opened on request just now.
   */
  connect(want: Want): void {
    this.#options.fence();
    if (this.#login.load() === undefined) return;
    const { paired } = this.#login;
    if (paired && !["open", "connecting", "banned"].includes(this.#state.is)) this.#logins.take();
    this.#dispatch({ is: "connect", paired, want });
  }

  /**
   * Sends messages in order.
   * @throws AppError "conflict" if no phone is linked, "unavailable" if the session is not open, "rate_limited" if its
   *   lane is full.
   */
  async send(
    messages: readonly BatchMessage[],
    settings?: PacingSettings | null,
    followsAccounts = false,
  ): Promise<SendResult[]> {
    if (this.#leaving) throw new AppError("unavailable", "The business moves to another shard.", { retryAfterS: 1 });
    assertPaired(this.#login.paired);
    await this.#openWaiters.untilOpen();
    return this.#sender.send(messages, settings, followsAccounts);
  }

  /**
   * Queries WhatsApp through the open connection.
   * @throws AppError "conflict" if no phone is linked, "unavailable" if the session is not open.
   */
  async use<T>(query: (open: OpenSocket) => Promise<T>): Promise<T> {
    this.#options.fence();
    assertPaired(this.#login.paired);
    await this.#openWaiters.untilOpen();
    return query(this.#connection.get()!.openSocket);
  }

  /** Changes settings that the login keeps across restarts and moves. */
  configure({ statuses }: SessionSettings): void {
    this.#options.fence();
    if (this.#login.load() !== undefined) this.#statuses.receive(statuses);
  }

  /**
   * Hands WhatsApp the assertion of the account's owner, or confirms the code that the phone shows.
   * @throws AppError "conflict" if that is not the step that is due, "invalid_request".
   */
  answerPasskey(answer: { assertion: PasskeyAssertion } | { code: string }): void {
    this.#options.fence();
    const exchange = this.#state.is === "passkey" ? this.#connection.get()?.passkey : undefined;
    if (exchange === undefined) {
      throw new AppError("conflict", `The session is ${this.status} and waits for no passkey. Connect it first.`);
    }
    if ("code" in answer) exchange.confirm(answer.code);
    else exchange.assert(answer.assertion);
  }

  /** The account's limits, and how much of them it has used. */
  pacing(settings: PacingSettings | null): PacingView {
    this.#login.load();
    return this.#sender.pacing(settings);
  }

  /** Lifts the sending stop that WhatsApp's refusals caused. */
  resumePacing(): void {
    this.#options.fence();
    this.#login.load();
    this.#sender.resumePacing();
  }

  /**
   * Closes the login without logging out, until `start` or `connect`.
   * @throws AppError "conflict" if the account is banned, or has no usable login.
   */
  suspend(): void {
    this.#options.fence();
    this.#login.load();
    assertNot(this.#state, "banned", "auth_error", "logged_out");
    this.#dispatch({ is: "suspend", paired: this.#login.paired });
  }

  /**
   * Opens a linked login, unless it is about to open.
   * @throws AppError "conflict" if no phone is linked, or WhatsApp has banned the account, "rate_limited" if it was
   *   opened on request just now.
   */
  start(): void {
    this.#assertStartable();
    if (isActive(this.#state)) return;
    this.#logins.take();
    this.#dispatch({ is: "connect", paired: true, want: { method: "qr" } });
  }

  /**
   * Closes the connection of a linked login and opens another one, unless one is about to open. Messages in flight are
   * sent again, under their ids.
   * @throws AppError "conflict" if no phone is linked, the login was stopped, or WhatsApp has banned the account,
   *   "rate_limited" if it was opened on request just now.
   */
  restart(): void {
    this.#assertStartable();
    if (this.#state.is === "disconnected" && this.#state.stopped)
      throw new AppError("conflict", "The session was stopped on request: start it.");
    if (this.#state.is === "connecting") return;
    this.#logins.take();
    this.#dispatch({ is: "restart" });
  }

  /** Logs out at WhatsApp if it can be reached, and archives the auth store. */
  async logout(): Promise<void> {
    this.#options.fence();
    if (this.#state.is === "open") {
      await Promise.race([this.#connection.get()?.logout(), Bun.sleep(2_000)]).catch((error: unknown) =>
        this.#log.warn(
          { error: messageOf(error) },
          "WhatsApp was not notified of the logout; the phone still lists this device",
        ),
      );
    }
    this.#dispatch({ is: "logout" });
  }

  /** Retries a login that WhatsApp refused for its client version, because another version was configured. */
  versionChanged(): void {
    if (this.#state.is === "waiting" && this.#state.outdated) this.#dispatch({ is: "due" });
  }

  /** Resolves when no message is waiting or in flight. */
  drained(): Promise<void> {
    return this.#sender.drained();
  }

  /**
   * Closes the session in this process without publishing a status: the login goes on elsewhere. Messages in flight
   * have `graceMs` to be acknowledged; new ones are refused.
   */
  async leave(graceMs: number): Promise<void> {
    this.#leaving = true;
    await withinGrace(graceMs, this.drained());
    await this.stop("the business moves to another shard");
  }

  /** Closes the socket without logging out, and then the store. */
  async stop(reason?: string): Promise<void> {
    const connection = this.#connection.get();
    this.#dispatch({ is: "stop", ...(reason === undefined ? {} : { reason }) });
    await connection?.drop();
    this.#login.close();
  }

  view(): SessionView {
    return viewOf({
      businessId: this.businessId,
      shard: this.#options.shard,
      state: this.#state,
      status: this.status,
      identity: this.#login.identity,
      paired: this.#login.paired,
      since: this.#journaled.since,
      queueDepth: this.#sender.depth,
      egress: this.#options.egress?.healthOf({ id: this.businessId, shard: this.#options.shard }),
      lastInboundAt: this.#connection.lastInboundAt,
    });
  }

  #assertStartable(): void {
    this.#options.fence();
    if (this.#login.load() === undefined) assertNot(this.#state, "auth_error");
    assertPaired(this.#login.paired);
    assertNot(this.#state, "banned", "auth_error");
  }

  get #state(): State {
    return this.#machine.state;
  }

  #dispatch(event: Event): void {
    this.#machine.dispatch(event);
  }

  #effects(): Effects {
    return {
      entered: (state, before, event) => {
        if (before.is === "open" && state.is !== "open") this.#sender.close();
        if (event.is !== "ended") return;
        this.#options.metrics.ended(event.code);
        this.#log.info({ code: event.code, state: state.is }, "a connection ended");
        this.#connection.forget();
      },
      settled: (state) => {
        if (!this.#leaving) this.#journaled.update(state, this.#login);
      },
      connect: () => this.#connection.open("pairing" in this.#state ? this.#state.pairing : undefined),
      disconnect: () => void this.#connection.drop(),
      resume: () => this.resume(0),
      archiveStore: () => this.#login.archive(),
      closeStore: () => this.#login.close(),
      recordSuspension: (suspension) => this.#login.recordSuspension(suspension),
      alarm: (reason) => {
        this.#options.metrics.alarm();
        this.#log.error({ alarm: true, reason }, "a session needs attention");
      },
    };
  }

  #opened(connection: Connection): void {
    if (this.#state.is !== "open") return;
    this.#sender.open((...message) => connection.relay(...message));
    this.#openWaiters.wake();
  }

  /** An acknowledgement is overdue: the connection counts as dead. */
  #overdue(): void {
    void this.#connection.drop();
    this.#dispatch({ is: "ended", code: 408 });
  }
}
