import { Database } from "bun:sqlite";
import { randomBytes } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { messageOf } from "../../../lib/core/errors.ts";
import type { KeyRing, Sealer } from "../../../lib/core/key_ring.ts";
import { VolumeRefused } from "./volume.ts";

const applicationId = 0x50_53_73_68; // "PSsh"
const format = 1;

/** Minimum milliseconds between two commits: writes within them share an fsync. */
const spacingMs = 4;
/**
 * A commit blocks the event loop, on a busy disk for many milliseconds. It gets about a tenth of the time, and no write
 * waits longer than this.
 */
const restPerCommit = 9;
const maxSpacingMs = 50;

/** SQL: whether a row is sealed under another key of the ring than ?1, whatever the subkey. */
export const isStale = "key_id <> ?1 AND substr(key_id, 1, length(?1) + 1) <> ?1 || '/'";

type Pending = { write: (db: Database) => void; resolve: () => void; reject: (error: unknown) => void };

/**
 * The shard's own database on its volume: journal and ledger. Writes of all sessions are committed together (group
 * commit), and a write's promise resolves once its commit is on the disk: WAL with synchronous=FULL, so that it
 * survives a power cut too.
 */
export class ShardDb {
  readonly db: Database;
  readonly sealer: Sealer;
  /** Why the last commit failed, most likely a full disk; undefined once a commit succeeds. */
  fault: string | undefined;
  /** Called after each commit. Its writes resolve once the promise does, at once without one. */
  onCommitted: () => Promise<void> | undefined = () => undefined;
  #pending: Pending[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The earliest time of the next commit. */
  #notBefore = 0;
  #commit: (writes: Pending[]) => void;

  private constructor(db: Database, sealer: Sealer) {
    this.db = db;
    this.sealer = sealer;
    this.#commit = db.transaction((writes: Pending[]) => {
      for (const { write } of writes) write(db);
    });
  }

  /** @throws VolumeRefused if the file is damaged, or sealed under a key that AUTH_KEYS lacks. */
  static open(path: string, keys: KeyRing): ShardDb {
    const known = existsSync(path) && statSync(path).size > 0;
    let db: Database | undefined;
    try {
      db = new Database(path, { readwrite: true, create: true });
      db.run("PRAGMA locking_mode = EXCLUSIVE");
      db.run("PRAGMA journal_mode = WAL");
      db.run("PRAGMA synchronous = FULL");
      if (!known) create(db, keys);
      const sealer = sealerOf(db, keys);
      db.run(additions);
      addColumns(db);
      retireOldKey(db, sealer);
      return new ShardDb(db, sealer);
    } catch (error) {
      db?.close();
      throw new VolumeRefused(`The shard's database ${path} cannot be used: ${messageOf(error)}`);
    }
  }

  /** Adds a write to the next commit. Rejects if the commit failed; then nothing of it was written. */
  write(write: (db: Database) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ write, resolve, reject });
      if (this.#timer !== undefined) return;
      const wait = this.#notBefore - performance.now();
      this.#timer = setTimeout(() => this.flush(), Math.max(0, wait));
    });
  }

  /** Commits the pending writes now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const writes = this.#pending;
    if (writes.length === 0) return;
    this.#pending = [];
    const began = performance.now();
    try {
      this.#commit(writes);
      this.fault = undefined;
      const settle = () => {
        for (const { resolve } of writes) resolve();
      };
      const refuse = (error: unknown) => {
        for (const { reject } of writes) reject(error);
      };
      const copied = this.onCommitted();
      if (copied === undefined) settle();
      else copied.then(settle, refuse);
    } catch (error) {
      this.fault = messageOf(error);
      for (const { reject } of writes) reject(error);
    }
    const ended = performance.now();
    this.#notBefore = ended + Math.min(maxSpacingMs, Math.max(spacingMs, (ended - began) * restPerCommit));
  }

  /** True if an older key of the ring is still needed to open this database. */
  get needsFormerKeys(): boolean {
    const { canary_key: canary } = this.db.query("SELECT canary_key FROM store").get() as { canary_key: string };
    return !this.sealer.isCurrent(canary);
  }

  /** To be called once the whole database was resealed. */
  retireFormerKeys(): void {
    retireOldKey(this.db, this.sealer);
  }

  close(): void {
    this.flush();
    this.db.close();
  }
}

/*
 * journal: the data that WhatsApp delivered, until Postgres has it. AUTOINCREMENT, because an acknowledged seq must
 * never be assigned again.
 * sends: the ledger. `body` is the plaintext message, kept to resend it when the recipient's phone could not decrypt
 * it; `recipients`, of a group message: the members that it was sent to; `result` is null until WhatsApp's server has
 * answered.
 */
const schema = `
  CREATE TABLE store (salt BLOB NOT NULL, canary_key TEXT NOT NULL, canary BLOB NOT NULL);
  CREATE TABLE journal (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    stream TEXT NOT NULL,
    business_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    box BLOB NOT NULL
  );
  CREATE INDEX journal_stream ON journal (stream, seq);
  CREATE TABLE sends (
    business_id TEXT NOT NULL,
    wa_message_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    chat TEXT NOT NULL,
    key_id TEXT NOT NULL,
    body BLOB NOT NULL,
    result TEXT,
    result_at INTEGER,
    error_code TEXT,
    error_message TEXT,
    PRIMARY KEY (business_id, wa_message_id)
  ) WITHOUT ROWID;
  CREATE INDEX sends_at ON sends (at);
`;

/**
 * kept: received messages that are needed after Postgres has them, see receiving/kept_messages.ts. Rows and index grow
 * in order of time, because a random order dirties a page for each message. Created at every start, because databases
 * of earlier versions lack it.
 */
const additions = `
  CREATE TABLE IF NOT EXISTS kept (
    seq INTEGER PRIMARY KEY,
    business_id TEXT NOT NULL,
    purpose TEXT NOT NULL,
    wa_message_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    box BLOB NOT NULL
  );
  CREATE INDEX IF NOT EXISTS kept_in_order ON kept (business_id, purpose, at, wa_message_id);
`;

/** Adds the columns that the schema of earlier versions lacks. */
function addColumns(db: Database): void {
  const columns = db.query<{ name: string }, []>("SELECT name FROM pragma_table_info('sends')").all();
  if (!columns.some(({ name }) => name === "recipients")) db.run("ALTER TABLE sends ADD COLUMN recipients INTEGER");
}

function create(db: Database, keys: KeyRing): void {
  const salt = randomBytes(16);
  const { keyId, box } = keys.rotatingSealer("shard", salt).seal(Buffer.from("shard"), "canary");
  db.transaction(() => {
    db.run(schema);
    db.query("INSERT INTO store (salt, canary_key, canary) VALUES (?, ?, ?)").run(salt, keyId, box);
    db.run(`PRAGMA application_id = ${applicationId}`);
    db.run(`PRAGMA user_version = ${format}`);
  })();
}

function sealerOf(db: Database, keys: KeyRing): Sealer {
  const { application_id: id } = db.query("PRAGMA application_id").get() as { application_id: number };
  if (id !== applicationId) throw new Error("it is not a shard's database");
  const { user_version: version } = db.query("PRAGMA user_version").get() as { user_version: number };
  if (version !== format) throw new Error(`it has format ${version}, and this version reads format ${format}`);
  const row = db.query("SELECT salt, canary_key, canary FROM store").get() as {
    salt: Uint8Array;
    canary_key: string;
    canary: Uint8Array;
  };
  const sealer = keys.rotatingSealer("shard", row.salt);
  sealer.open({ keyId: row.canary_key, box: row.canary }, "canary");
  return sealer;
}

/**
 * Seals the canary under the ring's first key once no row is sealed under another, so that the old key can be removed.
 * After a rotation, main.ts reseals the database (reseal.ts).
 */
function retireOldKey(db: Database, sealer: Sealer): void {
  const { canary_key: present } = db.query("SELECT canary_key FROM store").get() as { canary_key: string };
  if (sealer.isCurrent(present)) return;
  // Any row, not only the oldest: a moved business brought old entries that were sealed here on arrival.
  const stale = (table: string) =>
    db.query(`SELECT 1 FROM ${table} WHERE ${isStale} LIMIT 1`).get(sealer.keyId) !== null;
  if (stale("journal") || stale("sends") || stale("kept")) return;
  const { keyId, box } = sealer.seal(Buffer.from("shard"), "canary");
  db.query("UPDATE store SET canary_key = ?, canary = ? WHERE canary_key <> ?").run(keyId, box, keyId);
}
