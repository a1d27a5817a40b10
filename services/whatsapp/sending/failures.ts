import { BoundedMap } from "../../../lib/core/bounded_map.ts";
import { AppError, messageOf } from "../../../lib/core/errors.ts";
import { Transient, transientCode, Undeliverable } from "./errors.ts";

/** Failed preparations, on an open connection, before a message counts as failed. */
const maxFailures = 3;
/** How long a chat waits after WhatsApp answered with a transient code. The worker adds its own backoff. */
export const transientWaitMs = 1_000;
/** Messages whose failures are counted at a time. */
const maxCounted = 500;

/** The scope of a failed preparation: the message fails permanently, or its chat or the whole session waits. */
export type Failure =
  | { scope: "message"; error: { code: string; message: string } }
  | { scope: "chat"; waitMs?: number }
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
    if (error instanceof Transient) return { scope: "chat", waitMs: error.waitMs };
    if (transientCode(error) !== undefined) return { scope: "chat", waitMs: transientWaitMs };
    const now = performance.now();
    const { count, since } = this.#counted.get(waMessageId) ?? { count: 0, since: now };
    this.#counted.set(waMessageId, { count: count + 1, since });
    // A message that never succeeds would block its chat for ever.
    if (count + 1 < maxFailures || now - since < this.#patienceMs) return { scope: "chat" };
    return {
      scope: "message",
      error: { code: "undeliverable", message: `The message could not be prepared: ${messageOf(error)}` },
    };
  }
}
