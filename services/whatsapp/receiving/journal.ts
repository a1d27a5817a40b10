import type { Statement } from "bun:sqlite";
import type { JournalData, JournalStream } from "../../../lib/contracts/shard/schemas.ts";
import type { ShardDb } from "../volume/shard_db.ts";

export type JournalEntry = { seq: number; business_id: string; at: string; data: unknown };
export type JournalPage = { entries: JournalEntry[]; more: boolean };

/**
 * Size limit of a page. A stranger's text may have 65,536 characters, and a reader holds a page several times over. A
 * larger entry makes a page of its own.
 */
const maxPageBytes = 4 * 1024 * 1024;

/** Rows read, and written in one commit, before other work may run. */
const rowsPerCommit = 500;

type Row = { seq: number; business_id: string; at: number; key_id: string; box: Uint8Array };

/**
 * The data that WhatsApp delivered to this shard. An entry is on the disk before WhatsApp gets the acknowledgement, and
 * is deleted only once the reader confirms that Postgres has it. Contents are sealed.
 */
export class Journal {
  readonly #db: ShardDb;
  readonly #page: Statement<Row, [string, number]>;
  readonly #forget: Statement<unknown, [string, number]>;
  readonly #insert: Statement<unknown, [string, string, number, string, Uint8Array]>;
  readonly #depth: Record<JournalStream, number> = { inbound: 0, receipts: 0, events: 0, identities: 0 };
  readonly #onAppended: (stream: JournalStream) => void;

  /** `onAppended` is called after each entry that is durable. */
  constructor(db: ShardDb, onAppended: (stream: JournalStream) => void = () => {}) {
    this.#db = db;
    this.#onAppended = onAppended;
    this.#page = db.db.query(
      "SELECT seq, business_id, at, key_id, box FROM journal WHERE stream = ? ORDER BY seq LIMIT ?",
    );
    this.#forget = db.db.query("DELETE FROM journal WHERE stream = ? AND seq <= ?");
    this.#insert = db.db.query("INSERT INTO journal (stream, business_id, at, key_id, box) VALUES (?, ?, ?, ?, ?)");
    const counts = db.db.query<{ stream: JournalStream; n: number }, []>(
      "SELECT stream, count(*) AS n FROM journal GROUP BY stream",
    );
    for (const { stream, n } of counts.all()) this.#depth[stream] = n;
  }

  /** Resolves once the entry is on the disk. */
  async append<S extends JournalStream>(stream: S, businessId: string, data: JournalData<S>): Promise<void> {
    const { keyId, box } = this.#db.sealer.seal(Buffer.from(JSON.stringify(data)), context(stream, businessId));
    const at = Date.now();
    await this.#db.write(() => void this.#insert.run(stream, businessId, at, keyId, box));
    this.#depth[stream] += 1;
    this.#onAppended(stream);
  }

  /** Commits the entries appended so far at once, instead of together with those of the next milliseconds. */
  flush(): void {
    this.#db.flush();
  }

  /** The oldest unacknowledged entries of a stream: at most `limit`, and at most 4 MB. */
  read(stream: JournalStream, limit: number): JournalPage {
    const entries: JournalEntry[] = [];
    let bytes = 0;
    for (const { seq, business_id, at, key_id, box } of this.#page.iterate(stream, limit + 1)) {
      bytes += box.length;
      if (entries.length === limit || (entries.length > 0 && bytes > maxPageBytes)) return { entries, more: true };
      const plain = this.#db.sealer.open({ keyId: key_id, box }, context(stream, business_id)).toString("utf8");
      entries.push({ seq, business_id, at: new Date(at).toISOString(), data: JSON.parse(plain) as unknown });
    }
    return { entries, more: false };
  }

  /** Deletes the entries up to `through`. Resolves once that is on the disk. */
  async acknowledge(stream: JournalStream, through: number): Promise<void> {
    let forgotten = 0;
    await this.#db.write(() => {
      forgotten = this.#forget.run(stream, through).changes;
    });
    this.#depth[stream] -= forgotten;
  }

  /** Reseals entries that were sealed under an older key of the ring, a page at a time. Resolves with their number. */
  async reseal(): Promise<number> {
    const { db, sealer } = this.#db;
    const page = db.query<Row & { stream: JournalStream }, [number, number]>(
      "SELECT seq, stream, business_id, at, key_id, box FROM journal WHERE seq > ? ORDER BY seq LIMIT ?",
    );
    const update = db.query<unknown, [string, Uint8Array, number]>(
      "UPDATE journal SET key_id = ?, box = ? WHERE seq = ?",
    );
    let resealed = 0;
    for (let last = 0; ;) {
      const rows = page.all(last, rowsPerCommit);
      if (rows.length === 0) return resealed;
      last = rows.at(-1)!.seq;
      const stale = rows.filter(({ key_id }) => !sealer.isCurrent(key_id));
      const sealed = stale.map(({ seq, stream, business_id, key_id, box }) => {
        const about = context(stream, business_id);
        return { seq, ...sealer.seal(sealer.open({ keyId: key_id, box }, about), about) };
      });
      // An entry that was acknowledged in the meantime stays deleted.
      await this.#db.write(() => {
        for (const { seq, keyId, box } of sealed) update.run(keyId, box, seq);
      });
      resealed += sealed.length;
    }
  }

  depth(stream: JournalStream): number {
    return this.#depth[stream];
  }
}

function context(stream: JournalStream, businessId: string): string {
  return `journal/${stream}/${businessId}`;
}
