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
import { LoginControl } from "./login_control.ts";
import { assertPaired } from "./guards.ts";
import { noIdentity } from "./identity.ts";
import { OpenWaiters } from "./open_waiters.ts";
import type { SessionOptions } from "./session_options.ts";
import { StatusJournal } from "./status_journal.ts";
import { StateMachine } from "./state_machine.ts";
import type { Effects } from "./state_machine.ts";
import type { Event, State } from "./states.ts";
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
  /** Requests to open and close the login. */
  readonly control: LoginControl;
  #leaving = false;

  constructor(options: SessionOptions) {
    this.businessId = options.businessId;
    this.#options = options;
    this.#log = options.logger.child({ business_id: options.businessId });
    this.#login = new Login({
      ...options,
      logger: this.#log,
      onOpenFault: (error) => this.#dispatch(openFault(error, this.#state)),
      onStoreFault: (error) => this.#dispatch(storeFault(error)),
    });
    this.control = new LoginControl({
      ...options,
      login: this.#login,
      state: () => this.#state,
      dispatch: (event) => this.#dispatch(event),
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
    if (this.#login.load() === undefined) return;
    if (!this.#login.paired)
      return this.#dispatch({ is: "stop", reason: "the pairing was interrupted: connect again" });
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
        this.#options.onState?.(state, event);
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
      archiveStore: () => {
        // First: after a kill in between, WhatsApp refuses the login again. Without a login, nothing reports its end.
        if (!this.#leaving) this.#journaled.updateNow(this.#state, { identity: noIdentity, paired: false });
        this.#login.archive();
      },
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
