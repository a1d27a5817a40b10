import { isJidGroup, proto } from "@whiskeysockets/baileys";
import { BoundedMap } from "../../../lib/core/bounded_map.ts";
import { AppError } from "../../../lib/core/errors.ts";
import { backoff } from "../../../lib/core/retry.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import { limitsOf } from "../../../lib/contracts/shard/pacing.ts";
import type { PacingLimits, PacingSettings, PacingView } from "../../../lib/contracts/shard/pacing.ts";
import type { BatchMessage } from "../../../lib/contracts/shard/schemas.ts";
import type { AccountBook } from "../accounts/account_book.ts";
import type { AuthStore } from "../auth/auth_store.ts";
import { chatOf } from "../codec/jid.ts";
import { isNonDeterministic, outgoingMessage } from "../codec/outgoing.ts";
import type { Own } from "../codec/outgoing.ts";
import { BatchPacer } from "../pacing/batch_pacer.ts";
import type { Standing } from "../pacing/standing.ts";
import { Pacer } from "../pacing/pacer.ts";
import type { ShardMetrics } from "../shard_metrics.ts";
import type { Cooldowns } from "./cooldowns.ts";
import { Lane } from "./lane.ts";
import type { LaneOptions, Outgoing, RelayMessage } from "./lane_options.ts";
import type { Refusal } from "./refusals.ts";
import type { Ledger } from "./ledger.ts";
import type { LoopScheduler } from "./loop_scheduler.ts";
import type { LaneResult, PacedResult, RetryResult, SendResult } from "./result.ts";

/** The time for one batch. Less than the 15 s for which its caller waits. */
const batchDeadlineMs = 12_000;

/**
 * Messages of a chat that are prepared ahead. A group's message carries the sender key for new members, which is
 * considered given once it is prepared: nothing may be prepared behind a message that may be refused.
 */
const chatWindow = (chat: string): number => (isJidGroup(chat) ? 1 : 16);
/** The code with which WhatsApp refuses a new chat. */
const noNewChats = "463";
/** As many as a session may have undecided, and those that pacing holds. */
const maxFirstContacts = 1_000;

/** Refusals in a row, in any chats, after which all messages of the account wait. */
const refusalsOfAnAccount = 3;

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
  cooldowns: Cooldowns;
  /** Multiplies the waits after refusals. */
  waitScale?: number | undefined;
  /** Throws if this process no longer owns the shard. */
  fence: () => void;
  /** The auth store, where the account's pace is kept. */
  store: () => AuthStore | undefined;
  /** The business's own account. */
  own: () => Own;
  /** The current connection. */
  connection: () => { isAcquainted(chat: string): Promise<boolean>; accounts: Pick<AccountBook, "chatOf"> } | undefined;
  onOverdue: () => void;
};

/** `to`: the name that the caller used for the chat. */
type Addressed = Outgoing & { to: string };

/** Sends the messages of one session: paces them, then passes them to the lane. */
export class Sender {
  readonly #options: SenderOptions;
  readonly #lane: Lane;
  readonly #pacer: Pacer;
  /** The limits of the last batch. */
  #limits: PacingLimits | undefined;
  /** Undecided messages to chats without earlier messages. */
  readonly #firstContacts = new BoundedMap<string, true>(maxFirstContacts);
  /** Messages that WhatsApp refused temporarily since it last decided one. */
  #refusals = 0;

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
      onRefused: (refusal) => this.#refused(refusal),
      onResult: (result, ms, waMessageId) => {
        metrics.sendResult(result.status, ms);
        this.#refusals = 0;
        if (result.status === "sent") options.cooldowns.messages.succeeded();
        // Refused in a known chat, a message says nothing about new ones: the contact's privacy token is missing.
        const isStranger = this.#firstContacts.delete(waMessageId);
        const concernsPace = result.status === "failed" && (result.error.code !== noNewChats || isStranger);
        if (concernsPace && this.#limits?.enabled) this.#pacer.refused(result.error.code);
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

  acknowledged(...acknowledgement: Parameters<Lane["acknowledged"]>): void {
    this.#lane.acknowledged(...acknowledgement);
  }

  /** Resolves when no message is waiting or in flight. */
  drained(): Promise<void> {
    return this.#lane.drained();
  }

  /**
   * Sends a batch in order; resolves with a result for each message, in that order. A caller that follows accounts
   * learns the account of a message that was addressed to another of its names, and addresses the message again.
   */
  async send(
    messages: readonly BatchMessage[],
    settings: PacingSettings | null | undefined,
    followsAccounts: boolean,
  ): Promise<SendResult[]> {
    const outgoing = messages.map((message) => ({ ...this.#outgoing(message), bulk: message.bulk ?? false }));
    const renamed = followsAccounts ? this.#renamed(outgoing) : new Map<string, RetryResult>();
    const addressed = outgoing.filter(({ waMessageId }) => !renamed.has(waMessageId));
    const paced = await this.#pace(addressed, this.#limitsOf(settings));
    const admitted = addressed.filter(({ waMessageId }) => !paced.has(waMessageId));
    const undecided = Promise.withResolvers<LaneResult>();
    const timer = setTimeout(() => undecided.resolve({ status: "retry" }), batchDeadlineMs);
    try {
      const results = (await this.#lane.send(admitted, undecided.promise)).values();
      return outgoing.map(
        ({ waMessageId }) => renamed.get(waMessageId) ?? paced.get(waMessageId) ?? results.next().value!,
      );
    } finally {
      clearTimeout(timer);
    }
  }

  /** The account's limits, and how much of them it has used. */
  pacing(settings: PacingSettings | null): PacingView {
    const limits = this.#limitsOf(settings);
    return { limits, state: this.#pacer.state(limits) };
  }

  /** WhatsApp's own restrictions of the account, as they were last read. */
  get standing(): Standing | undefined {
    return this.#pacer.standing;
  }

  /** WhatsApp restricted the account, or lifted a restriction. */
  restricted(change: Partial<Standing>): void {
    this.#pacer.restricted(change);
  }

  /** Lifts the stop that WhatsApp's refusals caused. */
  resumePacing(): void {
    this.#pacer.resume();
  }

  /** WhatsApp refused a message temporarily. */
  #refused({
    verdict: { holds, wait },
    code,
    times,
    backoffMs,
  }: Refusal): ReturnType<Required<LaneOptions>["onRefused"]> {
    const { cooldowns, waitScale = 1 } = this.#options;
    this.#refusals += 1;
    if (this.#limits?.enabled) this.#pacer.refused(code);
    if (holds === "account" || this.#refusals >= refusalsOfAnAccount) {
      const accountsWait = holds === "account" ? wait : undefined;
      return { holds: "account", waitMs: cooldowns.messages.refused(backoffMs, accountsWait) };
    }
    const own = backoff({ attempt: times, baseMs: wait.firstMs, maxMs: wait.maxMs }) * waitScale;
    return { holds, waitMs: backoffMs ?? own };
  }

  #limitsOf(settings: PacingSettings | null | undefined): PacingLimits {
    return limitsOf(settings, this.#options.paced, this.#options.platformPacing?.());
  }

  /** The messages to another name of their account, and those behind them in the same chat. */
  #renamed(messages: readonly Addressed[]): Map<string, RetryResult> {
    const results = new Map<string, RetryResult>();
    const accounts = new Set<string>();
    for (const { waMessageId, chat, to } of messages) {
      if ((chat === to && !accounts.has(chat)) || this.#lane.has(waMessageId)) continue;
      accounts.add(chat);
      results.set(waMessageId, { status: "retry", account: chat });
    }
    return results;
  }

  /** The messages that must wait, each with its delay. A message that waits holds everything behind it in its chat. */
  async #pace(
    messages: readonly (Outgoing & { bulk: boolean })[],
    limits: PacingLimits,
  ): Promise<Map<string, PacedResult>> {
    this.#limits = limits;
    const results = new Map<string, PacedResult>();
    const { waitMs } = this.#options.cooldowns.messages;
    if (waitMs > 0) {
      const wait: PacedResult = { status: "paced", notBefore: Date.now() + waitMs, holds: "everything" };
      for (const { waMessageId } of messages) if (!this.#lane.has(waMessageId)) results.set(waMessageId, wait);
      return results;
    }
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
      if (unacquainted) this.#firstContacts.set(waMessageId, true);
      const delay = pacer.admit(chat, { firstContact, bulk });
      if (delay !== undefined) results.set(waMessageId, { status: "paced", ...delay });
    }
    return results;
  }

  #outgoing(content: BatchMessage): Addressed {
    const { wa_message_id: waMessageId } = content;
    const { businessId, ledger, own, connection } = this.#options;
    const to = chatOf(content.to);
    const chat = connection()?.accounts.chatOf(to) ?? to;
    const earlier = isNonDeterministic(content) ? ledger.body(businessId, waMessageId) : undefined;
    return {
      waMessageId,
      to,
      chat,
      trace: content.trace,
      message: earlier ? proto.Message.decode(earlier) : outgoingMessage(content, chat, own()),
    };
  }
}
