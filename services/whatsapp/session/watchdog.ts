import { PatientTimer } from "../../../lib/runtime/patient_timer.ts";
import { runningNow } from "../../../lib/runtime/running_clock.ts";
import { keepAliveMs, queryTimeoutMs } from "./socket_config.ts";

/** Until the server's first frame: Baileys' own default. */
const handshakeDeadlineMs = 20_000;
/** The first login uploads 812 keys; Baileys gives that 30 s. */
const defaultLoginDeadlineMs = 60_000;
/** A keepalive that is not answered. */
const silenceMs = keepAliveMs + queryTimeoutMs;

type Options = {
  /** Milliseconds until a code is shown or the login is open. Default: 60,000. */
  loginDeadlineMs: number | undefined;
  onExpired: () => void;
};

/**
 * Expires once a connection does not progress: at a deadline until it is open, and on silence from then on. A stall of
 * this process is no silence.
 */
export class Watchdog {
  readonly #options: Options;
  readonly #loginDeadlineMs: number;
  #timer: PatientTimer | undefined;
  /** The last frame from WhatsApp, by `runningNow()`. */
  #heardAt = 0;

  constructor(options: Options) {
    this.#options = options;
    this.#loginDeadlineMs = options.loginDeadlineMs ?? defaultLoginDeadlineMs;
    this.expireIn(Math.min(handshakeDeadlineMs, this.#loginDeadlineMs));
  }

  /** The server has answered: the login may take its own deadline. */
  awaitLogin(): void {
    this.expireIn(this.#loginDeadlineMs);
  }

  /** Replaces the earlier deadline. */
  expireIn(ms: number): void {
    this.stop();
    this.#timer = new PatientTimer(ms, () => this.#options.onExpired());
  }

  /** The connection is open. Replaces the earlier deadline. */
  watchSilence(): void {
    this.heard();
    this.#awaitSilence();
  }

  /** A frame arrived. */
  heard(): void {
    this.#heardAt = runningNow();
  }

  stop(): void {
    this.#timer?.stop();
  }

  #awaitSilence(): void {
    this.stop();
    const left = this.#heardAt + silenceMs - runningNow();
    if (left <= 0) return this.#options.onExpired();
    this.#timer = new PatientTimer(left, () => this.#awaitSilence());
  }
}
