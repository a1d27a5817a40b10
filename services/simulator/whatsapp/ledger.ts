/** An event between the server and its clients. `phone`: the account whose client it concerns. */
export type LedgerEvent =
  | { event: "login"; phone: string; device: number }
  /** `by`: the server, or a fault that left the client no choice; the client, or its process died. */
  | { event: "ended"; phone: string; device: number; by: "server" | "client" }
  /** The server refused a client's message. */
  | { event: "refused"; phone: string; id: string; to: string; code: string }
  /** A client was told that a number has no account. */
  | { event: "denied"; phone: string; number: string }
  | { event: "query_refused"; phone: string; query: string; code: number }
  /** A client asked for the keys of a device of `number`, and got none. */
  | { event: "keyless"; phone: string; number: string; device: number }
  /** A client's message was not encrypted for all devices of its receiver. */
  | { event: "devices_missed"; phone: string; id: string }
  /** A client was told a number's account without its LID. */
  | { event: "lid_hidden"; phone: string; number: string }
  /** Clients got a message without its content. `as`: what they got instead. */
  | { event: "withheld"; phone: string; id: string; from: string; as: string }
  /** A client got the content of such a message: from its phone, or from the writer. */
  | { event: "resent"; phone: string; id: string }
  | { event: "duplicated"; phone: string; id: string; copies: number }
  /** A message was delivered again under other names of its writer. */
  | { event: "renamed"; phone: string; id: string; as: string }
  /** A member of a group ticked a client's message. */
  | { event: "member_tick"; phone: string; id: string; member: string; status: "delivered" | "read" };

/** `at`: Unix ms. */
export type LedgerEntry = LedgerEvent & { seq: number; at: number };

/** Entries that are kept; a run over 20,000 messages each way has a tenth of them. */
const capacity = 200_000;

/** The server's record of what it did to its clients since the process started. */
export class Ledger {
  readonly #entries: LedgerEntry[] = [];
  #last = 0;

  record(event: LedgerEvent): void {
    this.#last += 1;
    this.#entries.push({ ...event, seq: this.#last, at: Date.now() });
    // In blocks, because each one moves the rest.
    if (this.#entries.length > capacity * 1.1) this.#entries.splice(0, this.#entries.length - capacity);
  }

  /** At most `limit` entries after `seq`. @throws RangeError if some of them are no longer kept */
  after(seq: number, limit: number): LedgerEntry[] {
    const first = this.#entries[0]?.seq ?? 1;
    if (seq + 1 < first) throw new RangeError(`The ledger starts at ${first}.`);
    return this.#entries.slice(seq + 1 - first, seq + 1 - first + limit);
  }
}
