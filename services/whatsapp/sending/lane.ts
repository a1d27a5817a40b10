import { proto } from "@whiskeysockets/baileys";
import { AppError, messageOf } from "../../../lib/core/errors.ts";
import type { Logger } from "../../../lib/runtime/log.ts";
import { BoundedMap } from "../bounded_map.ts";
import type { Ledger, Verdict } from "./ledger.ts";
import { isTransientAck, Transient, transientCode, Undeliverable } from "./trouble.ts";
import { Turns } from "./turns.ts";

export type Outgoing = { waMessageId: string; chat: string; message: proto.IMessage };

/**
 * `retry`: nothing is decided. The message may or may not have left; under the same id it may be handed over again,
 * after `waitMs` where that is given.
 */
export type Outcome = Verdict | { status: "retry"; waitMs?: number };

/** What a lane needs of an open connection. */
export type Relay = (chat: string, message: proto.IMessage, waMessageId: string) => Promise<void>;

export type LaneOptions = {
  businessId: string;
  ledger: Ledger;
  logger: Logger;
  /** Throws where this process may no longer send for its shard. */
  fence: () => void;
  /** WhatsApp's server has been silent about a message for too long. */
  onOverdue: () => void;
  onVerdict?: (verdict: Verdict, ms: number) => void;
  /** Shared with the lanes of the other sessions. */
  turns?: Turns;
  /** Messages that may wait in the lane. */
  capacity?: number;
  /** Messages that may be on their way without an acknowledgement. */
  window?: number;
  /** Messages of one chat that may be in flight; as many as `window` where absent. */
  chatWindow?: number;
  /** Milliseconds until an acknowledgement is overdue. */
  ackDeadlineMs?: number;
  /** Milliseconds from the first failed preparation until a message may count as failed; 0 where absent. */
  patienceMs?: number;
};

/** How often a message may fail to be prepared, on an open connection, before it counts as failed. */
const maxFailures = 3;
/** How long a chat waits after WhatsApp answered with a code that passes; the worker adds its own backoff. */
const transientWaitMs = 1_000;

type Failures = { count: number; since: number };
type Entry = { outgoing: Outgoing; settle: (outcome: Outcome) => void; outcome: Promise<Outcome> };
type Unacknowledged = { entry: Entry; handedAt: number };
/** `holds`: what waits because a message could not be prepared. With "nothing" it has failed for good. */
type Failure =
  | { holds: "nothing"; error: { code: string; message: string } }
  | { holds: "chat"; waitMs?: number }
  | { holds: "everything" };
/** An open connection, from `open` to `close`. What one of them leaves undone says nothing about the next. */
type Passage = {
  relay: Relay;
  pumping: boolean;
  /** Wakes the pump: a message landed, more are waiting, or the connection was closed. */ room?: () => void;
};

/** How long a lane prepares messages before the others, and what comes in, have their turn: a handful of messages. */
const sliceMs = 5;

/**
 * The outgoing messages of one session, in order within each chat. At most `chatWindow` messages of a chat are in flight;
 * other chats do not wait for them. Acknowledgements settle messages.
 *
 * A message is never in flight twice: one whose verdict the ledger knows is answered from there, and one that is in
 * flight is awaited. When a message cannot be sent now, the messages behind it in its chat are answered `retry`, so that
 * nothing overtakes it; other chats go on. When the connection fails, everything is answered `retry`.
 */
export class Lane {
  readonly #options: Required<Omit<LaneOptions, "onVerdict">> & Pick<LaneOptions, "onVerdict">;
  readonly #waiting: Entry[] = [];
  readonly #known = new Map<string, Entry>();
  /** In the order they were handed over. */
  readonly #unacknowledged = new Map<string, Unacknowledged>();
  /** How many messages of a chat are in flight. */
  readonly #inFlight = new Map<string, number>();
  readonly #failures = new BoundedMap<string, Failures>(500);
  #passage: Passage | undefined;
  #overdue: ReturnType<typeof setTimeout> | undefined;

  constructor(options: LaneOptions) {
    const window = options.window ?? 100;
    this.#options = {
      turns: new Turns(),
      capacity: 500,
      window,
      chatWindow: window,
      ackDeadlineMs: 8_000,
      patienceMs: 0,
      ...options,
    };
  }

  /** Messages that wait or are on their way. */
  get depth(): number {
    return this.#known.size;
  }

  /** The connection is open: messages may go. */
  open(relay: Relay): void {
    this.#passage = { relay, pumping: false };
    void this.#pump();
  }

  /**
   * The connection is gone: what is not settled is undecided. A message that is being handed over may take long to
   * find that out; what becomes of it there no longer matters.
   */
  close(): void {
    this.#passage?.room?.();
    this.#passage = undefined;
    for (const entry of this.#known.values()) this.#settle(entry, { status: "retry" });
    this.#waiting.length = 0;
    clearTimeout(this.#overdue);
    this.#overdue = undefined;
  }

  /**
   * Sends messages in order and resolves with an outcome for each, in that order. A message for which `undecided`
   * resolves first gets that outcome; it stays on its way, and a repeated batch awaits it again.
   * @throws AppError "unavailable" where the connection is not open; "rate_limited" where the lane is full. Nothing was taken then.
   */
  async send(messages: readonly Outgoing[], undecided?: Promise<Outcome>): Promise<Outcome[]> {
    const { businessId, ledger, capacity, fence } = this.#options;
    fence();
    if (this.#passage === undefined) throw new AppError("unavailable", "The session is not open.", { retryAfterS: 2 });
    const outcomes = new Map<string, Promise<Outcome>>();
    const fresh = new Map<string, Outgoing>();
    for (const message of messages) {
      const verdict = ledger.verdict(businessId, message.waMessageId);
      const known = verdict === undefined ? this.#known.get(message.waMessageId)?.outcome : Promise.resolve(verdict);
      if (known === undefined) fresh.set(message.waMessageId, message);
      else outcomes.set(message.waMessageId, known);
    }
    if (this.depth + fresh.size > capacity) {
      throw new AppError("rate_limited", `${this.depth} messages of this session are on their way already.`, {
        retryAfterS: 1,
      });
    }
    // Entered before anything is awaited, so that a second batch with the same messages finds them.
    const entries = [...fresh.values()].map((outgoing) => this.#enter(outgoing));
    for (const entry of entries) outcomes.set(entry.outgoing.waMessageId, entry.outcome);
    await this.#hand(entries);
    return Promise.all(
      messages.map(({ waMessageId }) => {
        const outcome = outcomes.get(waMessageId)!;
        return undecided === undefined ? outcome : Promise.race([outcome, undecided]);
      }),
    );
  }

  /** Whether a message is on its way or decided: to hand it over again sends nothing. */
  has(waMessageId: string): boolean {
    const { businessId, ledger } = this.#options;
    return this.#known.has(waMessageId) || ledger.verdict(businessId, waMessageId) !== undefined;
  }

  /** WhatsApp's server answered. False: this lane does not know the message. */
  acknowledged(waMessageId: string, refusal: string | undefined): boolean {
    const pending = this.#unacknowledged.get(waMessageId);
    if (pending === undefined) return false;
    if (isTransientAck(refusal)) {
      this.#hold(pending.entry, transientWaitMs);
      return true;
    }
    const verdict = verdictOf(refusal);
    this.#land(pending.entry);
    void this.#conclude(pending.entry, verdict);
    this.#options.onVerdict?.(verdict, performance.now() - pending.handedAt);
    return true;
  }

  /** Resolves when nothing waits and nothing is on its way. */
  async drained(): Promise<void> {
    await Promise.all([...this.#known.values()].map((entry) => entry.outcome));
  }

  #enter(outgoing: Outgoing): Entry {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const entry: Entry = { outgoing, outcome: promise, settle: resolve };
    this.#known.set(outgoing.waMessageId, entry);
    return entry;
  }

  async #hand(entries: Entry[]): Promise<void> {
    if (entries.length === 0) return;
    const { businessId, ledger } = this.#options;
    try {
      await ledger.hand(
        businessId,
        entries.map(({ outgoing: { waMessageId, chat, message } }) => ({
          waMessageId,
          chat,
          body: proto.Message.encode(message).finish(),
        })),
      );
    } catch (error) {
      // And what another batch brought since: it may name one of these as its own, and stand behind it.
      let behind = false;
      for (const entry of this.#known.values()) {
        behind ||= entries.includes(entry);
        if (behind) this.#settle(entry, { status: "retry" });
      }
      throw new AppError("unavailable", "The shard's volume does not take writes at present.", {
        cause: error,
        retryAfterS: 10,
      });
    }
    // Those that were settled meanwhile, because the connection was lost, are not to be sent.
    this.#waiting.push(...entries.filter((entry) => this.#known.get(entry.outgoing.waMessageId) === entry));
    this.#passage?.room?.();
    void this.#pump();
  }

  async #pump(): Promise<void> {
    const passage = this.#passage;
    if (passage === undefined || passage.pumping) return;
    passage.pumping = true;
    let sliceEnd = 0;
    while (this.#passage === passage && this.#waiting.length > 0) {
      if (performance.now() >= sliceEnd) {
        await this.#options.turns.next();
        sliceEnd = performance.now() + sliceMs;
      }
      const entry = this.#passage === passage ? this.#next() : undefined;
      if (entry !== undefined) await this.#relayOne(entry, passage);
      else if (this.#waiting.length > 0) await this.#change(passage);
    }
    passage.pumping = false;
  }

  /** The first message that may go: there is room in the window, and its chat has none in flight. */
  #next(): Entry | undefined {
    const { window, chatWindow } = this.#options;
    if (this.#unacknowledged.size >= window) return undefined;
    const at = this.#waiting.findIndex(({ outgoing: { chat } }) => (this.#inFlight.get(chat) ?? 0) < chatWindow);
    return at < 0 ? undefined : this.#waiting.splice(at, 1)[0];
  }

  /** Resolves when a message has landed, or more are waiting, or the connection is closed. */
  async #change(passage: Passage): Promise<void> {
    if (this.#passage !== passage) return;
    await new Promise<void>((resolve) => {
      passage.room = resolve;
    });
  }

  async #relayOne(entry: Entry, passage: Passage): Promise<void> {
    const { waMessageId, chat, message } = entry.outgoing;
    const { logger, fence, businessId } = this.#options;
    // Before it is sent: the acknowledgement may be there before the call returns.
    this.#unacknowledged.set(waMessageId, { entry, handedAt: performance.now() });
    this.#inFlight.set(chat, (this.#inFlight.get(chat) ?? 0) + 1);
    this.#watchOldest();
    try {
      fence();
      await passage.relay(chat, message, waMessageId);
    } catch (error) {
      if (this.#passage !== passage) return;
      const failure = this.#failureOf(waMessageId, error);
      logger.warn(
        { business_id: businessId, wa_message_id: waMessageId, cause: messageOf(error) },
        "a message could not be handed over",
      );
      switch (failure.holds) {
        case "nothing":
          return this.#conclude(entry, { status: "failed", at: Date.now(), error: failure.error });
        case "chat":
          return this.#hold(entry, failure.waitMs);
        case "everything":
          this.#settle(entry, { status: "retry" });
          for (const behind of this.#waiting.splice(0)) this.#settle(behind, { status: "retry" });
      }
    }
  }

  /** Leaves a message undecided, and with it those behind it in its chat. */
  #hold(entry: Entry, waitMs: number | undefined): void {
    const { chat } = entry.outgoing;
    const outcome: Outcome = { status: "retry", ...(waitMs === undefined ? {} : { waitMs }) };
    const behind = this.#waiting.filter(({ outgoing }) => outgoing.chat === chat);
    const others = this.#waiting.filter(({ outgoing }) => outgoing.chat !== chat);
    this.#waiting.splice(0, this.#waiting.length, ...others);
    for (const held of [entry, ...behind]) this.#settle(held, outcome);
  }

  /** One timer for all: acknowledgements come in the order of the messages, or about. */
  #watchOldest(): void {
    const oldest = this.#unacknowledged.values().next().value;
    if (oldest === undefined || this.#overdue !== undefined) return;
    const { ackDeadlineMs, onOverdue } = this.#options;
    const left = oldest.handedAt + ackDeadlineMs - performance.now();
    this.#overdue = setTimeout(() => {
      this.#overdue = undefined;
      if (this.#unacknowledged.get(oldest.entry.outgoing.waMessageId) === oldest) onOverdue();
      else this.#watchOldest();
    }, left);
  }

  /** What a failed preparation means for the message, and what has to wait with it. */
  #failureOf(waMessageId: string, error: unknown): Failure {
    if (error instanceof Undeliverable)
      return { holds: "nothing", error: { code: error.code, message: error.message } };
    const closed = (error as { output?: { statusCode?: number } }).output?.statusCode === 428;
    // The connection's end, or this process's loss of its shard, is no fault of the message.
    if (closed || error instanceof AppError) return { holds: "everything" };
    if (error instanceof Transient) return { holds: "chat", waitMs: error.waitMs };
    if (transientCode(error) !== undefined) return { holds: "chat", waitMs: transientWaitMs };
    const now = performance.now();
    const { count, since } = this.#failures.get(waMessageId) ?? { count: 0, since: now };
    this.#failures.set(waMessageId, { count: count + 1, since });
    // A message that never succeeds would block its chat for ever.
    if (count + 1 < maxFailures || now - since < this.#options.patienceMs) return { holds: "chat" };
    return {
      holds: "nothing",
      error: { code: "undeliverable", message: `The message could not be prepared: ${messageOf(error)}` },
    };
  }

  async #conclude(entry: Entry, verdict: Verdict): Promise<void> {
    const { businessId, ledger, logger } = this.#options;
    try {
      await ledger.settle(businessId, entry.outgoing.waMessageId, verdict);
    } catch (error) {
      // Known for this once, forgotten after a restart: the repeated message bears the same id and is shown once.
      logger.error({ business_id: businessId, cause: messageOf(error) }, "a verdict could not be written down");
    }
    this.#settle(entry, verdict);
  }

  #settle(entry: Entry, outcome: Outcome): void {
    const { waMessageId } = entry.outgoing;
    this.#land(entry);
    if (this.#known.get(waMessageId) === entry) this.#known.delete(waMessageId);
    entry.settle(outcome);
  }

  /** A message is no longer in flight: its chat may go on. */
  #land(entry: Entry): void {
    const { waMessageId, chat } = entry.outgoing;
    if (this.#unacknowledged.get(waMessageId)?.entry !== entry) return;
    this.#unacknowledged.delete(waMessageId);
    const left = (this.#inFlight.get(chat) ?? 1) - 1;
    if (left > 0) this.#inFlight.set(chat, left);
    else this.#inFlight.delete(chat);
    this.#passage?.room?.();
  }
}

function verdictOf(refusal: string | undefined): Verdict {
  const at = Date.now();
  if (refusal === undefined) return { status: "sent", at };
  return {
    status: "failed",
    at,
    error: { code: refusal, message: refusals[refusal] ?? `WhatsApp refused the message (${refusal})` },
  };
}

/** What is known of the codes of refused messages. */
const refusals: Record<string, string> = {
  "463": "WhatsApp does not let this account begin new chats at present (463)",
  "479": "WhatsApp did not accept the form of the message (479)",
  "429": "WhatsApp refused the message because of too many messages (429)",
};
