import type { Content } from "../messages/content.ts";
import type { Store } from "../store.ts";

/** A message as its phone shows it. */
export type ShownMessage = {
  id: string;
  /** Phone number of the other side of the chat. */
  chat: string;
  sender: string;
  /** Written on a companion of this phone, and shown here as its own. */
  from_me: boolean;
  push_name?: string;
  /** Unix ms at which the server took it. */
  timestamp: number;
} & Content;

/** What a phone shows: each message id once, in the order of arrival. */
export class Screen {
  readonly #phone: string;
  readonly #store: Store;
  #ids: Set<string> | undefined;
  /** Messages that arrived again and were dropped, since the process began. */
  duplicates = 0;
  /** Ciphertexts that could not be read and were asked for again. */
  undecryptable = 0;

  constructor(phone: string, store: Store) {
    this.#phone = phone;
    this.#store = store;
  }

  has(sender: string, id: string): boolean {
    return this.#known().has(`${sender} ${id}`);
  }

  /** False if it was shown before: then it is dropped and counted. */
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

  /** In the order of arrival, from the one after `after` of them. */
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
