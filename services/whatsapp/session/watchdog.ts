import { keepAliveMs } from "./socket_config.ts";

/** Until the server's first frame: Baileys' own default. */
const handshakeDeadlineMs = 20_000;
/** The first login uploads 812 keys; Baileys gives that 30 s. */
const defaultLoginDeadlineMs = 60_000;
/** Two unanswered keepalives and a margin. Baileys waits for a close frame that a dead peer never sends. */
const silenceMs = 2 * keepAliveMs + 10_000;
const silenceCheckMs = 5_000;

type Options = {
  /** Milliseconds until a code is shown or the login is open. Default: 60,000. */
  loginDeadlineMs: number | undefined;
  /** Time of the last frame from WhatsApp, Unix ms. */
  lastInboundAt: () => number | undefined;
  onExpired: () => void;
};

/** Expires once a connection does not progress: at a deadline until it is open, and on silence from then on. */
export class Watchdog {
  readonly #options: Options;
  readonly #loginDeadlineMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

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
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#options.onExpired(), ms);
  }

  /** The connection is open. Replaces the earlier deadline. */
  watchSilence(): void {
    clearTimeout(this.#timer);
    const { lastInboundAt, onExpired } = this.#options;
    this.#timer = setInterval(() => {
      if (Date.now() - (lastInboundAt() ?? 0) > silenceMs) onExpired();
    }, silenceCheckMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#timer);
  }
}
