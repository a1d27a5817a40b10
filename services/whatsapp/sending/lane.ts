import { proto } from "@whiskeysockets/baileys";
import { AppError, messageOf } from "../../../lib/core/errors.ts";
import { PatientTimer } from "../../../lib/runtime/patient_timer.ts";
import { Failures } from "./failures.ts";
import { InFlight } from "./in_flight.ts";
import { withDefaults } from "./lane_options.ts";
import type { LaneOptions, Outgoing, RelayMessage, ResolvedLaneOptions } from "./lane_options.ts";
import { Refusals } from "./refusals.ts";
import type { Refusal } from "./refusals.ts";
import { resultOfAck } from "./result.ts";
import type { FinalResult, LaneResult, RetryResult } from "./result.ts";
import { traceSend } from "./trace_send.ts";
import { verdictOf } from "./verdicts.ts";

type Entry = {
  outgoing: Outgoing;
  resolve: (result: LaneResult) => void;
  result: Promise<LaneResult>;
};
/** An open connection, from `open` to `close`. Work left over from an earlier epoch does not affect the next. */
type Epoch = {
  relay: RelayMessage;
  pumping: boolean;
  /** Wakes the pump: a message left flight, more are waiting, or the connection was closed. */
  wake?: () => void;
};

/** How long a lane prepares messages before other lanes and inbound data run: a handful of messages. */
const sliceMs = 5;

/** A preparation asks WhatsApp at most twice, for up to 20 s each; after this the connection counts as dead. */
const prepareDeadlineMs = 45_000;

/**
 * The outgoing FIFO of one session: keeps the order within each chat. Messages are prepared ahead, because a batch is
 * cheaper to encrypt and to record than single messages; but of each chat only one was handed to WhatsApp and is not
 * acknowledged: WhatsApp may refuse it temporarily (503) and accept the next one, which would overtake it. Other chats
 * do not wait. Acknowledgements decide messages.
 *
 * A prepared message that is not sent leaves a gap in the ratchet of each recipient's device. Devices tolerate 2,000;
 * a chat whose last message was refused prepares nothing ahead, so that no gap follows another.
 *
 * A message is never in flight twice: one that has a final result in the ledger is answered from there, and one that is
 * in flight is awaited. When a message cannot be sent now, the messages behind it in its chat are answered `retry`, so
 * that none overtakes it; other chats go on. When the connection fails, every message is answered `retry`.
 */
export class Lane {
  readonly #options: ResolvedLaneOptions;
  readonly #waiting: Entry[] = [];
  readonly #known = new Map<string, Entry>();
  readonly #inFlight: InFlight<Entry>;
  readonly #failures: Failures;
  readonly #refusals: Refusals;
  #epoch: Epoch | undefined;

  constructor(options: LaneOptions) {
    this.#options = withDefaults(options);
    const { ackDeadlineMs, onOverdue, patienceMs, onRefused } = this.#options;
    this.#inFlight = new InFlight({ ackDeadlineMs, onOverdue });
    this.#failures = new Failures(patienceMs);
    this.#refusals = new Refusals(onRefused);
  }

  /** Messages that are waiting or in flight. */
  get depth(): number {
    return this.#known.size;
  }

  /** The connection is open: starts sending. */
  open(relay: RelayMessage): void {
    this.#epoch = { relay, pumping: false };
    void this.#pump();
  }

  /**
   * The connection has ended: every message without a final result is answered `retry`. A preparation that is still
   * running may take long to fail; its end no longer matters.
   */
  close(): void {
    this.#epoch?.wake?.();
    this.#epoch = undefined;
    this.#inFlight.clear();
    for (const entry of this.#known.values()) this.#resolve(entry, { status: "retry" });
    this.#waiting.length = 0;
  }

  /**
   * Sends messages in order and resolves with a result for each, in that order. If `undecided` resolves first, a
   * message gets that result and stays in flight; a repeated batch awaits it again.
   * @throws AppError "unavailable" if the connection is not open, "rate_limited" if the lane is full. In both cases no
   *   message was accepted.
   */
  async send(messages: readonly Outgoing[], undecided?: Promise<LaneResult>): Promise<LaneResult[]> {
    const { businessId, ledger, capacity, fence } = this.#options;
    fence();
    if (this.#epoch === undefined) throw new AppError("unavailable", "The session is not open.", { retryAfterS: 2 });
    const results = new Map<string, Promise<LaneResult>>();
    const fresh = new Map<string, Outgoing>();
    for (const message of messages) {
      const final = ledger.resultOf(businessId, message.waMessageId);
      const known = final === undefined ? this.#known.get(message.waMessageId)?.result : Promise.resolve(final);
      if (known === undefined) fresh.set(message.waMessageId, message);
      else results.set(message.waMessageId, known);
    }
    if (this.depth + fresh.size > capacity) {
      throw new AppError("rate_limited", `${this.depth} messages of this session are waiting or in flight already.`, {
        retryAfterS: 1,
      });
    }
    // Added before anything is awaited, so that a second batch with the same messages finds them.
    const entries = [...fresh.values()].map((outgoing) => this.#add(outgoing));
    for (const entry of entries) results.set(entry.outgoing.waMessageId, entry.result);
    await this.#record(entries);
    return Promise.all(
      messages.map(({ waMessageId }) => {
        const result = results.get(waMessageId)!;
        return undecided === undefined ? result : Promise.race([result, undecided]);
      }),
    );
  }

  /** True if a message is known or decided, so that handing it over again sends nothing. */
  has(waMessageId: string): boolean {
    const { businessId, ledger } = this.#options;
    return this.#known.has(waMessageId) || ledger.resultOf(businessId, waMessageId) !== undefined;
  }

  /**
   * WhatsApp's server answered. `refusal`: its code, and the wait that it names. Returns false if the message is not in
   * flight here.
   */
  acknowledged(waMessageId: string, refusal?: { code: string; backoffMs?: number | undefined }): boolean {
    const pending = this.#inFlight.get(waMessageId);
    if (pending === undefined) return false;
    const { entry, handedAt } = pending;
    const verdict = refusal && verdictOf(refusal.code);
    if (verdict?.is === "passing") {
      this.#refused(entry, { verdict, code: refusal!.code, backoffMs: refusal!.backoffMs });
      return true;
    }
    this.#refusals.forget(entry.outgoing.chat);
    const result = resultOfAck(verdict && { code: refusal.code, meaning: verdict.meaning });
    this.#leaveFlight(entry);
    void this.#finish(entry, result);
    this.#options.onResult?.(result, performance.now() - handedAt, waMessageId);
    return true;
  }

  /** Resolves when no message is waiting or in flight. */
  async drained(): Promise<void> {
    await Promise.all([...this.#known.values()].map((entry) => entry.result));
  }

  /** WhatsApp refused a message temporarily: its chat waits, or everything that is not in flight. */
  #refused(entry: Entry, refusal: Omit<Refusal, "times">): void {
    const { result, holds } = this.#refusals.add(entry.outgoing.chat, refusal);
    this.#retryChat(entry, result);
    if (holds === "account") this.#retry(this.#waiting.splice(0), result);
  }

  #add(outgoing: Outgoing): Entry {
    const { promise, resolve } = Promise.withResolvers<LaneResult>();
    const entry: Entry = { outgoing, result: promise, resolve: traceSend(this.#options.businessId, outgoing, resolve) };
    this.#known.set(outgoing.waMessageId, entry);
    return entry;
  }

  /** Writes new messages to the ledger, then lets them be sent. */
  async #record(entries: Entry[]): Promise<void> {
    if (entries.length === 0) return;
    const { businessId, ledger } = this.#options;
    try {
      await ledger.add(
        businessId,
        entries.map(({ outgoing: { waMessageId, chat, message } }) => ({
          waMessageId,
          chat,
          body: proto.Message.encode(message).finish(),
        })),
      );
    } catch (error) {
      // Including later messages of other batches: such a batch may share one of these messages and queue behind it.
      const known = [...this.#known.values()];
      this.#retry(known.slice(known.findIndex((entry) => entries.includes(entry))));
      throw new AppError("unavailable", "The shard's volume does not accept writes. Retry later.", {
        cause: error,
        retryAfterS: 10,
      });
    }
    // An entry that was resolved during the write, because the connection ended, must not be sent.
    this.#waiting.push(...entries.filter((entry) => this.#known.get(entry.outgoing.waMessageId) === entry));
    this.#epoch?.wake?.();
    void this.#pump();
  }

  async #pump(): Promise<void> {
    const epoch = this.#epoch;
    if (epoch === undefined || epoch.pumping) return;
    epoch.pumping = true;
    let sliceEnd = 0;
    while (this.#epoch === epoch && this.#waiting.length > 0) {
      if (performance.now() >= sliceEnd) {
        await this.#options.scheduler.turn();
        sliceEnd = performance.now() + sliceMs;
      }
      const entry = this.#epoch === epoch ? this.#next() : undefined;
      if (entry !== undefined) await this.#relayOne(entry, epoch);
      else if (this.#waiting.length > 0) await this.#woken(epoch);
    }
    epoch.pumping = false;
  }

  /** The first message that may be sent: the window has room, and so has the window of its chat. */
  #next(): Entry | undefined {
    if (this.#inFlight.size >= this.#options.window) return undefined;
    const at = this.#waiting.findIndex(({ outgoing: { chat } }) => this.#inFlight.inChat(chat) < this.#windowOf(chat));
    return at < 0 ? undefined : this.#waiting.splice(at, 1)[0];
  }

  #windowOf(chat: string): number {
    return this.#refusals.has(chat) ? 1 : this.#options.chatWindow(chat);
  }

  async #woken(epoch: Epoch): Promise<void> {
    if (this.#epoch !== epoch) return;
    await new Promise<void>((resolve) => {
      epoch.wake = resolve;
    });
  }

  async #relayOne(entry: Entry, epoch: Epoch): Promise<void> {
    const { waMessageId, chat, message } = entry.outgoing;
    const { logger, fence, businessId, onOverdue } = this.#options;
    // Before the send: the acknowledgement may arrive before the call returns.
    this.#inFlight.add(entry);
    const stuck = new PatientTimer(prepareDeadlineMs, onOverdue);
    try {
      fence();
      await epoch.relay(chat, message, waMessageId, (leave) => this.#inFlight.transmit(entry, leave));
    } catch (error) {
      if (this.#epoch !== epoch) return;
      const failure = this.#failures.of(waMessageId, error);
      logger.warn(
        { business_id: businessId, wa_message_id: waMessageId, error: messageOf(error) },
        "a message could not be handed to WhatsApp",
      );
      switch (failure.scope) {
        case "message":
          return this.#finish(entry, { status: "failed", at: Date.now(), error: failure.error });
        case "chat":
          return this.#retryChat(entry, failure.result);
        case "session":
          this.#retry([entry, ...this.#waiting.splice(0)]);
      }
    } finally {
      stuck.stop();
    }
  }

  /** Answers a message, and those behind it in its chat. */
  #retryChat(entry: Entry, result: RetryResult): void {
    const { chat } = entry.outgoing;
    const inFlight = this.#inFlight.entriesOf(chat);
    const held = inFlight.slice(inFlight.indexOf(entry) + 1);
    const waiting = this.#waiting.filter(({ outgoing }) => outgoing.chat === chat);
    const others = this.#waiting.filter(({ outgoing }) => outgoing.chat !== chat);
    this.#waiting.splice(0, this.#waiting.length, ...others);
    this.#retry([entry, ...held, ...waiting], result);
  }

  /** Answers messages from the last one on: one that leaves flight lets the next one of its chat leave. */
  #retry(entries: Entry[], result: RetryResult = { status: "retry" }): void {
    for (const entry of entries.toReversed()) this.#resolve(entry, result);
  }

  async #finish(entry: Entry, result: FinalResult): Promise<void> {
    const { businessId, ledger, logger } = this.#options;
    let recorded = result;
    try {
      recorded = await ledger.settle(businessId, entry.outgoing.waMessageId, result);
    } catch (error) {
      // Answered once, and lost at a restart: the resent message carries the same id, so the phone shows it once.
      logger.error({ business_id: businessId, error: messageOf(error) }, "a send result could not be recorded");
    }
    this.#resolve(entry, recorded);
  }

  #resolve(entry: Entry, result: LaneResult): void {
    const { waMessageId } = entry.outgoing;
    this.#leaveFlight(entry);
    if (this.#known.get(waMessageId) === entry) this.#known.delete(waMessageId);
    entry.resolve(result);
  }

  /** The message is no longer in flight: its chat may go on. */
  #leaveFlight(entry: Entry): void {
    if (this.#inFlight.remove(entry)) this.#epoch?.wake?.();
  }
}
