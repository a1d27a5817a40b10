import { BoundedMap } from "../../../lib/core/bounded_map.ts";
import type { RetryResult } from "./result.ts";
import type { Passing } from "./verdicts.ts";

/** Chats that are remembered after a temporary refusal. */
const maxRefusedChats = 500;

/** A temporary refusal of a message. */
export type Refusal = {
  code: string;
  verdict: Passing;
  /** Refusals in a row in its chat, with this one. */
  times: number;
  /** The wait that WhatsApp named. */
  backoffMs: number | undefined;
};

/** Returns the time until a refused message may be sent again, and the messages that wait as long. */
export type OnRefused = (refusal: Refusal) => { waitMs: number; holds: Passing["holds"] };

/** The chats of one session whose last message was refused temporarily, and how many times in a row. */
export class Refusals {
  readonly #times = new BoundedMap<string, number>(maxRefusedChats);
  readonly #onRefused: OnRefused;

  constructor(onRefused: OnRefused) {
    this.#onRefused = onRefused;
  }

  /** True if the last message of the chat was refused. */
  has(chat: string): boolean {
    return this.#times.get(chat) !== undefined;
  }

  /** WhatsApp decided a message of the chat. */
  forget(chat: string): void {
    this.#times.delete(chat);
  }

  /** Counts a refusal. Returns the result of the message, and of those that wait with it. */
  add(chat: string, refusal: Omit<Refusal, "times">): { result: RetryResult; holds: Passing["holds"] } {
    const times = (this.#times.get(chat) ?? 0) + 1;
    this.#times.set(chat, times);
    const { waitMs, holds } = this.#onRefused({ ...refusal, times });
    const { code } = refusal;
    const message = `WhatsApp refused the message temporarily (${code}).`;
    return { result: { status: "retry", waitMs, error: { code, message } }, holds };
  }
}
