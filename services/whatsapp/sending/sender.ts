import { isJidGroup, proto } from "@whiskeysockets/baileys";
import { AppError } from "../../../lib/core/errors.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import { limitsOf } from "../../../lib/contracts/shard/pacing.ts";
import type { PacingLimits, PacingSettings, PacingView } from "../../../lib/contracts/shard/pacing.ts";
import type { BatchMessage } from "../../../lib/contracts/shard/schemas.ts";
import type { AuthStore } from "../auth/auth_store.ts";
import { chatOf } from "../codec/jid.ts";
import { isNonDeterministic, outgoingMessage } from "../codec/outgoing.ts";
import type { Own } from "../codec/outgoing.ts";
import { BatchPacer } from "../pacing/batch_pacer.ts";
import { Pacer } from "../pacing/pacer.ts";
import type { ShardMetrics } from "../shard_metrics.ts";
import { Lane } from "./lane.ts";
import type { Outgoing, RelayMessage } from "./lane.ts";
import type { Ledger } from "./ledger.ts";
import type { LoopScheduler } from "./loop_scheduler.ts";
import type { LaneResult, PacedResult, SendResult } from "./result.ts";

/** The time for one batch. Less than the 15 s for which its caller waits. */
const batchDeadlineMs = 12_000;

/**
 * Messages of a chat that are prepared ahead. A group's message carries the sender key for new members, which is
 * considered given once it is prepared: nothing may be prepared behind a message that may be refused.
 */
const chatWindow = (chat: string): number => (isJidGroup(chat) ? 1 : 16);
/** A temporary failure of WhatsApp may last minutes; a message that cannot be prepared for longer fails. */
const defaultPatienceMs = 120_000;

export type SenderOptions = {
  businessId: string;
  ledger: Ledger;
  /** Shared by the sessions of the shard. */
  scheduler: LoopScheduler;
  logger: Logger;
  metrics: ShardMetrics;
  /** True if accounts are paced by default, if the business has no setting. */
  paced: boolean;
  /** The platform's own limits, as they are now. */
  platformPacing?: (() => PacingSettings) | undefined;
  /** Milliseconds until a message that cannot be prepared may fail. */
  patienceMs?: number | undefined;
  /** Throws if this process no longer owns the shard. */
  fence: () => void;
  /** The auth store, where the account's pace is kept. */
  store: () => AuthStore | undefined;
  /** The business's own account. */
  own: () => Own;
  /** The current connection. */
  connection: () => { isAcquainted(chat: string): Promise<boolean> } | undefined;
  onOverdue: () => void;
};

/** Sends the messages of one session: paces them, then passes them to the lane. */
export class Sender {
  readonly #options: SenderOptions;
  readonly #lane: Lane;
  readonly #pacer: Pacer;
  /** The limits of the last batch. */
  #limits: PacingLimits | undefined;

  constructor(options: SenderOptions) {
    this.#options = options;
    const { logger, metrics } = options;
    this.#lane = new Lane({
      businessId: options.businessId,
      ledger: options.ledger,
      logger,
      fence: options.fence,
      scheduler: options.scheduler,
      chatWindow,
      patienceMs: options.patienceMs ?? defaultPatienceMs,
      onOverdue: options.onOverdue,
      onResult: (result, ms) => {
        metrics.sendResult(result.status, ms);
        if (result.status === "failed" && this.#limits?.enabled) this.#pacer.refused(result.error.code);
      },
    });
    this.#pacer = new Pacer({
      store: options.store,
      onStop: ({ holds, code, until }) => {
        metrics.alarm();
        logger.error(
          { alarm: true, code, holds, until: new Date(until).toISOString() },
          "WhatsApp refused a message as one too many; sending is stopped for this account",
        );
      },
    });
  }

  /** Messages that are waiting or in flight. */
  get depth(): number {
    return this.#lane.depth;
  }

  /** The connection is open. */
  open(relay: RelayMessage): void {
    this.#lane.open(relay);
  }

  /** The connection has ended. */
  close(): void {
    this.#lane.close();
  }

  acknowledged(waMessageId: string, refusal: string | undefined): void {
    this.#lane.acknowledged(waMessageId, refusal);
  }

  /** Resolves when no message is waiting or in flight. */
  drained(): Promise<void> {
    return this.#lane.drained();
  }

  /** Sends a batch in order; resolves with a result for each message, in that order. */
  async send(messages: readonly BatchMessage[], settings: PacingSettings | null | undefined): Promise<SendResult[]> {
    const outgoing = messages.map((message) => ({ ...this.#outgoing(message), bulk: message.bulk ?? false }));
    const paced = await this.#pace(outgoing, this.#limitsOf(settings));
    const admitted = outgoing.filter(({ waMessageId }) => !paced.has(waMessageId));
    const undecided = Promise.withResolvers<LaneResult>();
    const timer = setTimeout(() => undecided.resolve({ status: "retry" }), batchDeadlineMs);
    try {
      const results = (await this.#lane.send(admitted, undecided.promise)).values();
      return outgoing.map(({ waMessageId }) => paced.get(waMessageId) ?? results.next().value!);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The account's limits, and how much of them it has used. */
  pacing(settings: PacingSettings | null): PacingView {
    const limits = this.#limitsOf(settings);
    return { limits, state: this.#pacer.state(limits) };
  }

  /** Lifts the stop that WhatsApp's refusals caused. */
  resumePacing(): void {
    this.#pacer.resume();
  }

  #limitsOf(settings: PacingSettings | null | undefined): PacingLimits {
    return limitsOf(settings, this.#options.paced, this.#options.platformPacing?.());
  }

  /** The messages that must wait, each with its delay. A message that waits holds everything behind it in its chat. */
  async #pace(
    messages: readonly (Outgoing & { bulk: boolean })[],
    limits: PacingLimits,
  ): Promise<Map<string, PacedResult>> {
    this.#limits = limits;
    const results = new Map<string, PacedResult>();
    if (!limits.enabled) return results;
    this.#options.fence();
    const pacer = new BatchPacer(this.#pacer, limits);
    const connection = this.#options.connection();
    for (const { waMessageId, chat, bulk } of messages) {
      if (this.#lane.has(waMessageId)) continue;
      const unacquainted = !(await connection?.isAcquainted(chat));
      // A connection that is over reports every chat as unacquainted.
      if (connection === undefined || this.#options.connection() !== connection) {
        throw new AppError("unavailable", "The connection was lost.", { retryAfterS: 2 });
      }
      // An undecided message that was admitted before has been counted already.
      const firstContact =
        unacquainted && this.#options.ledger.body(this.#options.businessId, waMessageId) === undefined;
      const delay = pacer.admit(chat, { firstContact, bulk });
      if (delay !== undefined) results.set(waMessageId, { status: "paced", ...delay });
    }
    return results;
  }

  #outgoing(content: BatchMessage): Outgoing {
    const { wa_message_id: waMessageId, to } = content;
    const { businessId, ledger, own } = this.#options;
    const chat = chatOf(to);
    const earlier = isNonDeterministic(content) ? ledger.body(businessId, waMessageId) : undefined;
    return {
      waMessageId,
      chat,
      message: earlier ? proto.Message.decode(earlier) : outgoingMessage(content, chat, own()),
    };
  }
}
