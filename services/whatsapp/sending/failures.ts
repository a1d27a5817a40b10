import { BoundedMap } from "../../../lib/core/bounded_map.ts";
import { AppError, messageOf } from "../../../lib/core/errors.ts";
import { OtherName, Transient, Undeliverable } from "./errors.ts";
import type { RetryResult } from "./result.ts";

/** Failed preparations, on an open connection, before a message counts as failed. */
const maxFailures = 3;
/** Messages whose failures are counted at a time. */
const maxCounted = 500;

/** The scope of a failed preparation: the message fails permanently, or its chat or the whole session waits. */
export type Failure =
  | { scope: "message"; error: { code: string; message: string } }
  | { scope: "chat"; result: RetryResult }
  | { scope: "session" };

/** Classifies the failures of messages that could not be handed to WhatsApp. */
export class Failures {
  readonly #patienceMs: number;
  readonly #counted = new BoundedMap<string, { count: number; since: number }>(maxCounted);

  /** `patienceMs`: from the first failed preparation until a message may count as failed. */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  of(waMessageId: string, error: unknown): Failure {
    if (error instanceof Undeliverable)
      return { scope: "message", error: { code: error.code, message: error.message } };
    const closed = (error as { output?: { statusCode?: number } }).output?.statusCode === 428;
    // The message is not at fault when the connection ended or this process lost its shard.
    if (closed || error instanceof AppError) return { scope: "session" };
    if (error instanceof OtherName)
      return { scope: "chat", result: { status: "retry", waitMs: 0, account: error.account } };
    if (error instanceof Transient) {
      const { code, message, waitMs } = error;
      return { scope: "chat", result: { status: "retry", waitMs, error: { code, message } } };
    }
    const now = performance.now();
    const { count, since } = this.#counted.get(waMessageId) ?? { count: 0, since: now };
    this.#counted.set(waMessageId, { count: count + 1, since });
    // A message that never succeeds would block its chat for ever.
    if (count + 1 < maxFailures || now - since < this.#patienceMs) {
      return { scope: "chat", result: { status: "retry" } };
    }
    return {
      scope: "message",
      error: { code: "undeliverable", message: `The message could not be prepared: ${messageOf(error)}` },
    };
  }
}
