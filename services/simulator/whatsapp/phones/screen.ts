import type { Content } from "../messages/content.ts";
import type { Store } from "../store.ts";

/** A message that a phone shows. */
export type ShownMessage = {
  id: string;
  /** Phone number of the other side of the chat. */
  chat: string;
  sender: string;
  /** True if this phone or one of its companions sent it. */
  from_me: boolean;
  push_name?: string;
  /** Unix ms at which the server received it. */
  timestamp: number;
} & Content;

/** The messages that a phone shows: each message id once, in the order of arrival. */
export class Screen {
  readonly #phone: string;
  readonly #store: Store;
  #ids: Set<string> | undefined;
  /** Duplicates dropped since the process started. */
  duplicates = 0;
  /** Ciphertexts that could not be decrypted, each answered with a retry receipt. */
  undecryptable = 0;

  constructor(phone: string, store: Store) {
    this.#phone = phone;
    this.#store = store;
  }

  has(sender: string, id: string): boolean {
    return this.#known().has(`${sender} ${id}`);
  }

  /** Shows a message. Returns false if it is a duplicate, which is dropped and counted. */
  show(message: ShownMessage): boolean {
    const key = `${message.sender} ${message.id}`;
    const known = this.#known();
    if (known.has(key)) {
      this.duplicates += 1;
      return false;
    }
    known.add(key);
    const seq = known.size;
    this.#store.write(() =>
      this.#store.db
        .query("INSERT INTO shown (phone, seq, id, entry) VALUES (?, ?, ?, ?)")
        .run(this.#phone, seq, key, JSON.stringify(message)),
    );
    return true;
  }

  /** Returns the messages in the order of arrival, without the first `after`. */
  messages(after = 0): ShownMessage[] {
    this.#store.flush();
    return this.#store.db
      .query<{ entry: string }, [string, number]>("SELECT entry FROM shown WHERE phone = ? AND seq > ? ORDER BY seq")
      .all(this.#phone, after)
      .map((row) => JSON.parse(row.entry) as ShownMessage);
  }

  #known(): Set<string> {
    if (!this.#ids) {
      this.#store.flush();
      const rows = this.#store.db
        .query<{ id: string }, [string]>("SELECT id FROM shown WHERE phone = ?")
        .all(this.#phone);
      this.#ids = new Set(rows.map((row) => row.id));
    }
    return this.#ids;
  }
}
