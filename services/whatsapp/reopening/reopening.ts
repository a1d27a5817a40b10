import { attemptsBeforeAlarm } from "../session/states.ts";
import type { Event, State } from "../session/states.ts";
import type { OpenMarks } from "./open_marks.ts";

/**
 * One session in twenty may stay closed: WhatsApp refuses single accounts at any time, and they must not hold the
 * deployment of all others.
 */
const toleratedShare = 0.05;

/** Of at least so many sessions, half have to open: a release that gets accounts logged out or banned stops there. */
const judgedTogether = 4;

export type ReopeningView = {
  /** True once the sessions that were open are open again. It stays true for the life of the process. */
  done: boolean;
  /** The sessions that were open when the process before ended. */
  expected: number;
  /** Those of them that have not been open since. */
  waiting: number;
  /** Those of them that were logged out, stopped, banned or replaced. */
  ended: number;
};

/**
 * Follows the sessions that were open when the process before ended, until they are open again. Nomad's deployment of
 * the shards asks for it, so that a release that opens no session reaches one shard and is reverted.
 *
 * A session that ended by a decision of the business or of WhatsApp is waited for no longer, unless half of all do. One
 * whose store the process cannot use is.
 */
export class Reopening {
  readonly #marks: OpenMarks;
  readonly #waiting = new Set<string>();
  #expected = 0;
  #endedCount = 0;
  #isStarted = false;
  #isDone = false;

  constructor(marks: OpenMarks) {
    this.#marks = marks;
  }

  /** Reads which of the sessions on the volume were open. Called once, before the first of them resumes. */
  start(businesses: readonly string[]): void {
    for (const business of businesses) if (this.#marks.has(business)) this.#waiting.add(business);
    this.#expected = this.#waiting.size;
    this.#isStarted = true;
  }

  /** A session entered a state. */
  entered(business: string, state: State, event: Event): void {
    // The end of the process, or of the session on this shard.
    if (event.is === "stop") return;
    switch (state.is) {
      case "open":
        this.#marks.set(business);
        this.#waiting.delete(business);
        return;
      case "disconnected":
        // It is opened again by itself.
        if (event.is === "store_unavailable") return;
        return this.#ended(business);
      case "logged_out":
      case "banned":
      case "conflict":
        return this.#ended(business);
      case "auth_error":
        return this.#marks.clear(business);
      case "connecting":
      case "waiting":
        // It was not open when this process ends: the next one does not wait for it.
        if (state.attempt >= attemptsBeforeAlarm) this.#marks.clear(business);
        return;
      case "pairing":
      case "passkey":
        return;
    }
  }

  /** A session left the shard. */
  left(business: string): void {
    this.#waiting.delete(business);
  }

  get view(): ReopeningView {
    const [expected, waiting, ended] = [this.#expected, this.#waiting.size, this.#endedCount];
    const isOutage = expected >= judgedTogether && ended > expected / 2;
    this.#isDone ||= this.#isStarted && !isOutage && waiting <= Math.floor(expected * toleratedShare);
    return { done: this.#isDone, expected, waiting, ended };
  }

  #ended(business: string): void {
    this.#marks.clear(business);
    if (this.#waiting.delete(business)) this.#endedCount += 1;
  }
}
