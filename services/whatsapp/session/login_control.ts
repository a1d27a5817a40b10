import { AppError } from "../../../lib/core/errors.ts";
import { isActive } from "./after_end.ts";
import { assertNot, assertPaired } from "./guards.ts";
import type { Login } from "./login.ts";
import { LoginInterval } from "./login_interval.ts";
import { PairingLimit } from "./pairing_limit.ts";
import type { Event, State, Want } from "./states.ts";
import { prolongsPairing } from "./transition.ts";

type Options = {
  /** Throws if this process no longer owns the shard. */
  fence: () => void;
  loginIntervalMs?: number | undefined;
  login: Login;
  state: () => State;
  dispatch: (event: Event) => void;
};

/** The requests to open and close a business's login. */
export class LoginControl {
  readonly #options: Options;
  readonly #logins: LoginInterval;
  readonly #pairings = new PairingLimit();

  constructor(options: Options) {
    this.#options = options;
    this.#logins = new LoginInterval(options.loginIntervalMs);
  }

  /**
   * Starts a pairing, or opens a login that is linked already.
   * @throws AppError "rate_limited" if such a login was opened on request just now, or too many pairings were started.
   */
  connect(want: Want): void {
    this.#options.fence();
    if (this.#options.login.load() === undefined) return;
    const { paired } = this.#options.login;
    if (!paired && !prolongsPairing(this.#state, want)) this.#pairings.take();
    if (paired && !["open", "connecting", "banned"].includes(this.#state.is)) this.#logins.take();
    this.#options.dispatch({ is: "connect", paired, want });
  }

  /**
   * Closes the login without logging out, until `start` or `connect`.
   * @throws AppError "conflict" if the account is banned, or has no usable login.
   */
  suspend(): void {
    this.#options.fence();
    this.#options.login.load();
    assertNot(this.#state, "banned", "auth_error", "logged_out");
    this.#options.dispatch({ is: "suspend", paired: this.#options.login.paired });
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
    this.#options.dispatch({ is: "connect", paired: true, want: { method: "qr" } });
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
    this.#options.dispatch({ is: "restart" });
  }

  #assertStartable(): void {
    this.#options.fence();
    if (this.#options.login.load() === undefined) assertNot(this.#state, "auth_error");
    assertPaired(this.#options.login.paired);
    assertNot(this.#state, "banned", "auth_error");
  }

  get #state(): State {
    return this.#options.state();
  }
}
