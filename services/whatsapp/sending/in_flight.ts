import { PatientTimer } from "../../../lib/runtime/patient_timer.ts";
import { runningNow } from "../../../lib/runtime/running_clock.ts";

type Message = { outgoing: { waMessageId: string; chat: string } };
/** Hands a prepared message to WhatsApp. */
export type Leave = () => Promise<void>;
type InFlightMessage<Entry> = {
  entry: Entry;
  /** When it was handed to WhatsApp; before, when its preparation began. By `performance.now()`. */
  handedAt: number;
  /** The same by `runningNow()`. */
  watchedAt: number;
  /** Transmits the prepared message, which waits for the ones before it in its chat. */
  held?: Leave;
};
type Options = {
  /** Milliseconds until an acknowledgement is overdue. */
  ackDeadlineMs: number;
  onOverdue: () => void;
};

/**
 * The messages of one session that are being prepared, are held or were handed to WhatsApp, and are not acknowledged
 * yet. Of each chat only the first one leaves: if WhatsApp refuses it temporarily, none has overtaken it.
 */
export class InFlight<Entry extends Message> {
  readonly #options: Options;
  readonly #messages = new Map<string, InFlightMessage<Entry>>();
  /** The messages of each chat, in order. */
  readonly #chats = new Map<string, InFlightMessage<Entry>[]>();
  /** The messages that were handed to WhatsApp, in that order. */
  readonly #watched = new Set<InFlightMessage<Entry>>();
  #timer: PatientTimer | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  get size(): number {
    return this.#messages.size;
  }

  get(waMessageId: string): Readonly<InFlightMessage<Entry>> | undefined {
    return this.#messages.get(waMessageId);
  }

  inChat(chat: string): number {
    return this.#chats.get(chat)?.length ?? 0;
  }

  /** The messages of a chat, in order. */
  entriesOf(chat: string): Entry[] {
    return (this.#chats.get(chat) ?? []).map(({ entry }) => entry);
  }

  add(entry: Entry): void {
    const { waMessageId, chat } = entry.outgoing;
    const message: InFlightMessage<Entry> = { entry, handedAt: performance.now(), watchedAt: runningNow() };
    this.#messages.set(waMessageId, message);
    const inChat = this.#chats.get(chat);
    if (inChat === undefined) this.#chats.set(chat, [message]);
    else inChat.push(message);
  }

  /**
   * A message is prepared: `leave` is called now if it is the first of its chat, else once those before it have left
   * flight, and never if the message itself leaves flight before.
   */
  async transmit(entry: Entry, leave: Leave): Promise<void> {
    const { waMessageId, chat } = entry.outgoing;
    const message = this.#messages.get(waMessageId);
    if (message?.entry !== entry) return;
    if (this.#chats.get(chat)![0] === message) return this.#hand(message, leave);
    message.held = leave;
  }

  /** Removes a message, and transmits the next one of its chat. Returns false if the entry is not in flight. */
  remove(entry: Entry): boolean {
    const { waMessageId, chat } = entry.outgoing;
    const message = this.#messages.get(waMessageId);
    if (message?.entry !== entry) return false;
    this.#messages.delete(waMessageId);
    this.#watched.delete(message);
    const inChat = this.#chats.get(chat)!;
    inChat.splice(inChat.indexOf(message), 1);
    const next = inChat[0];
    if (next === undefined) this.#chats.delete(chat);
    // It fails only if the connection is closed, which leaves every message of the session undecided.
    else if (next.held !== undefined) void this.#hand(next, next.held).catch(() => {});
    return true;
  }

  /** Forgets all messages; held ones never leave. */
  clear(): void {
    this.#messages.clear();
    this.#chats.clear();
    this.#watched.clear();
    this.#timer?.stop();
    this.#timer = undefined;
  }

  #hand(message: InFlightMessage<Entry>, leave: Leave): Promise<void> {
    delete message.held;
    message.handedAt = performance.now();
    message.watchedAt = runningNow();
    this.#watched.add(message);
    this.#watchOldest();
    return leave();
  }

  /** One timer for all: acknowledgements arrive roughly in the order of the messages. */
  #watchOldest(): void {
    const oldest = this.#watched.values().next().value;
    if (oldest === undefined || this.#timer !== undefined) return;
    const { ackDeadlineMs, onOverdue } = this.#options;
    this.#timer = new PatientTimer(oldest.watchedAt + ackDeadlineMs - runningNow(), () => {
      this.#timer = undefined;
      if (this.#watched.has(oldest)) onOverdue();
      else this.#watchOldest();
    });
  }
}
