import type { Statement } from "bun:sqlite";
import type { ShardDb } from "../volume/shard_db.ts";

/**
 * Why a message is kept after Postgres has it.
 *   original   later changes, reactions and votes are sealed under its secret
 *   unread     this version does not know its kind; a later one may
 */
export type Purpose = "original" | "unread";

type Limit = { rows: number; bytes: number; days: number };

/**
 * Limits of one business. WhatsApp allows edits for 15 minutes, but a business that was offline receives them with its
 * backlog; polls take votes for as long as they are shown.
 */
const limits: Record<Purpose, Limit> = {
  original: { rows: 3_000, bytes: 2 * 1024 * 1024, days: 7 },
  unread: { rows: 1_000, bytes: 8 * 1024 * 1024, days: 90 },
};
export const maxUnreadBytes = 64 * 1024;
const dayMs = 86_400_000;
/** When a business reaches a limit, it is cut back to this share, so that not every message costs a deletion. */
const shareKept = 0.9;
/** Rows written in one commit: a few milliseconds of the event loop. */
const rowsPerCommit = 500;

export type KeptRow = { purpose: Purpose; wa_message_id: string; at: number; body: Uint8Array };
type SealedRow = { business_id: string; purpose: Purpose; wa_message_id: string; key_id: string; box: Uint8Array };
type Held = { rows: number; bytes: number };

/** Received messages that are still needed, sealed on the shard's volume. Bounded for each business. */
export class KeptMessages {
  readonly #db: ShardDb;
  readonly #held = new Map<string, Held>();
  readonly #insert: Statement<unknown, [string, string, string, number, string, Uint8Array]>;
  readonly #select: Statement<{ key_id: string; box: Uint8Array }, [string, string, string]>;

  constructor(db: ShardDb) {
    this.#db = db;
    this.#insert = db.db.query(
      "INSERT INTO kept (business_id, purpose, wa_message_id, at, key_id, box) VALUES (?, ?, ?, ?, ?, ?)",
    );
    this.#select = db.db.query(
      "SELECT key_id, box FROM kept WHERE business_id = ? AND purpose = ? AND wa_message_id = ? ORDER BY at LIMIT 1",
    );
    const counts = db.db.query<{ business_id: string; purpose: Purpose } & Held, []>(
      "SELECT business_id, purpose, count(*) AS rows, sum(length(box)) AS bytes FROM kept " +
        "GROUP BY business_id, purpose",
    );
    for (const { business_id, purpose, rows, bytes } of counts.all())
      this.#held.set(nameOf(business_id, purpose), { rows, bytes });
  }

  /** Keeps a message. Resolves once it is on the disk, in the same commit as a journal entry of the same turn. */
  async keep(businessId: string, purpose: Purpose, waMessageId: string, body: Uint8Array, at = Date.now()) {
    const { keyId, box } = this.#db.sealer.seal(body, context(businessId, purpose, waMessageId));
    const held = this.#heldBy(businessId, purpose);
    await this.#db.write(() => {
      this.#insert.run(businessId, purpose, waMessageId, at, keyId, box);
      held.rows += 1;
      held.bytes += box.length;
      const { rows, bytes } = limits[purpose];
      if (held.rows > rows || held.bytes > bytes) this.#cutBack(businessId, purpose, held);
    });
  }

  /**
   * The first message of an id: another sender who repeats the id does not replace it. Searches the index entries of
   * the business, a few thousand at most; few messages are edits or votes.
   */
  get(businessId: string, purpose: Purpose, waMessageId: string): Buffer | undefined {
    const row = this.#select.get(businessId, purpose, waMessageId);
    if (row === null) return undefined;
    return this.#db.sealer.open({ keyId: row.key_id, box: row.box }, context(businessId, purpose, waMessageId));
  }

  /** All messages kept for a business, oldest first. */
  rowsOf(businessId: string, purpose?: Purpose): KeptRow[] {
    const rows = this.#db.db
      .query<SealedRow & { at: number }, [string, string | null]>(
        "SELECT business_id, purpose, wa_message_id, at, key_id, box FROM kept " +
          "WHERE business_id = ?1 AND (?2 IS NULL OR purpose = ?2) ORDER BY at",
      )
      .all(businessId, purpose ?? null);
    return rows.map(({ purpose: why, wa_message_id, at, key_id, box }) => ({
      purpose: why,
      wa_message_id,
      at,
      body: this.#db.sealer.open({ keyId: key_id, box }, context(businessId, why, wa_message_id)),
    }));
  }

  /** Imports the messages of another shard. They replace those that are here. */
  async takeOver(businessId: string, rows: readonly KeptRow[]): Promise<void> {
    await this.removeAll(businessId);
    for (let from = 0; from < rows.length; from += rowsPerCommit) {
      const some = rows.slice(from, from + rowsPerCommit);
      await Promise.all(
        some.map(({ purpose, wa_message_id: id, body, at }) => this.keep(businessId, purpose, id, body, at)),
      );
    }
  }

  /** Deletes all messages of a business that has left this shard. */
  async removeAll(businessId: string): Promise<void> {
    await this.#db.write((db) => {
      db.query("DELETE FROM kept WHERE business_id = ?").run(businessId);
      for (const purpose of Object.keys(limits) as Purpose[]) this.#held.delete(nameOf(businessId, purpose));
    });
  }

  /** The businesses with unread messages. */
  unreadOf(): string[] {
    const query = this.#db.db.query<{ business_id: string }, []>(
      "SELECT DISTINCT business_id FROM kept WHERE purpose = 'unread'",
    );
    return query.all().map(({ business_id }) => business_id);
  }

  async forget(businessId: string, purpose: Purpose, waMessageId: string): Promise<void> {
    await this.#db.write((db) => {
      db.query("DELETE FROM kept WHERE business_id = ? AND purpose = ? AND wa_message_id = ?").run(
        businessId,
        purpose,
        waMessageId,
      );
      this.#recount(businessId, purpose);
    });
  }

  /** Deletes messages older than their retention. */
  async purge(now = Date.now()): Promise<void> {
    await this.#db.write((db) => {
      const remove = db.query("DELETE FROM kept WHERE business_id = ? AND purpose = ? AND at < ?");
      for (const name of this.#held.keys()) {
        const [businessId, purpose] = name.split(" ") as [string, Purpose];
        if (remove.run(businessId, purpose, now - limits[purpose].days * dayMs).changes > 0)
          this.#recount(businessId, purpose);
      }
    });
  }

  /** Reseals rows that were sealed under an older key of the ring, a page at a time. Resolves with their number. */
  async reseal(): Promise<number> {
    const { db, sealer } = this.#db;
    const page = db.query<SealedRow & { seq: number }, [number, number]>(
      "SELECT seq, business_id, purpose, wa_message_id, key_id, box FROM kept WHERE seq > ? ORDER BY seq LIMIT ?",
    );
    const update = db.query<unknown, [string, Uint8Array, number]>("UPDATE kept SET key_id = ?, box = ? WHERE seq = ?");
    let resealed = 0;
    for (let last = 0; ;) {
      const rows = page.all(last, rowsPerCommit);
      if (rows.length === 0) return resealed;
      last = rows.at(-1)!.seq;
      const stale = rows.filter(({ key_id }) => !sealer.isCurrent(key_id));
      const sealed = stale.map(({ seq, business_id, purpose, wa_message_id, key_id, box }) => {
        const about = context(business_id, purpose, wa_message_id);
        return { seq, ...sealer.seal(sealer.open({ keyId: key_id, box }, about), about) };
      });
      await this.#db.write(() => {
        for (const { seq, keyId, box } of sealed) update.run(keyId, box, seq);
      });
      resealed += sealed.length;
    }
  }

  /** Deletes the oldest messages of a business until it is below its limits. Runs in a commit. */
  #cutBack(businessId: string, purpose: Purpose, held: Held): void {
    const { rows, bytes } = limits[purpose];
    const share = Math.min((rows * shareKept) / held.rows, (bytes * shareKept) / held.bytes);
    const kept = Math.floor(held.rows * share);
    this.#db.db
      .query(
        `DELETE FROM kept WHERE business_id = ?1 AND purpose = ?2 AND at <= (
           SELECT at FROM kept WHERE business_id = ?1 AND purpose = ?2 ORDER BY at DESC LIMIT 1 OFFSET ?3)`,
      )
      .run(businessId, purpose, kept);
    this.#recount(businessId, purpose);
  }

  #recount(businessId: string, purpose: Purpose): void {
    const count = this.#db.db.query<Held, [string, string]>(
      "SELECT count(*) AS rows, ifnull(sum(length(box)), 0) AS bytes FROM kept " +
        "WHERE business_id = ? AND purpose = ?",
    );
    Object.assign(this.#heldBy(businessId, purpose), count.get(businessId, purpose));
  }

  #heldBy(businessId: string, purpose: Purpose): Held {
    const name = nameOf(businessId, purpose);
    const held = this.#held.get(name) ?? { rows: 0, bytes: 0 };
    this.#held.set(name, held);
    return held;
  }
}

const nameOf = (businessId: string, purpose: Purpose) => `${businessId} ${purpose}`;
const context = (businessId: string, purpose: Purpose, waMessageId: string) =>
  `kept/${purpose}/${businessId}/${waMessageId}`;
