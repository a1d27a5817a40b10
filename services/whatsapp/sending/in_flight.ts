type Message = { outgoing: { waMessageId: string; chat: string } };
type InFlightMessage<Entry> = { entry: Entry; handedAt: number };
type Options = {
  /** Milliseconds until an acknowledgement is overdue. */
  ackDeadlineMs: number;
  onOverdue: () => void;
};

/** The messages of one session that were handed to WhatsApp and not acknowledged yet, with their deadlines. */
export class InFlight<Entry extends Message> {
  readonly #options: Options;
  /** In the order in which they were handed to WhatsApp. */
  readonly #messages = new Map<string, InFlightMessage<Entry>>();
  readonly #countByChat = new Map<string, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  get size(): number {
    return this.#messages.size;
  }

  get(waMessageId: string): InFlightMessage<Entry> | undefined {
    return this.#messages.get(waMessageId);
  }

  inChat(chat: string): number {
    return this.#countByChat.get(chat) ?? 0;
  }

  add(entry: Entry): void {
    const { waMessageId, chat } = entry.outgoing;
    this.#messages.set(waMessageId, { entry, handedAt: performance.now() });
    this.#countByChat.set(chat, this.inChat(chat) + 1);
    this.#watchOldest();
  }

  /** Returns false if the entry is not in flight. */
  remove(entry: Entry): boolean {
    const { waMessageId, chat } = entry.outgoing;
    if (this.#messages.get(waMessageId)?.entry !== entry) return false;
    this.#messages.delete(waMessageId);
    const left = (this.#countByChat.get(chat) ?? 1) - 1;
    if (left > 0) this.#countByChat.set(chat, left);
    else this.#countByChat.delete(chat);
    return true;
  }

  /** Stops the watch for overdue acknowledgements, until the next `add`. */
  stopWatch(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** One timer for all: acknowledgements arrive roughly in the order of the messages. */
  #watchOldest(): void {
    const oldest = this.#messages.values().next().value;
    if (oldest === undefined || this.#timer !== undefined) return;
    const { ackDeadlineMs, onOverdue } = this.#options;
    const left = oldest.handedAt + ackDeadlineMs - performance.now();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#messages.get(oldest.entry.outgoing.waMessageId) === oldest) onOverdue();
      else this.#watchOldest();
    }, left);
  }
}
