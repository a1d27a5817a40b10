import { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

const schema = `
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS phones (phone TEXT PRIMARY KEY, lid TEXT NOT NULL UNIQUE, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS devices (phone TEXT NOT NULL, device INTEGER NOT NULL, state TEXT NOT NULL,
  prekeys BLOB NOT NULL, PRIMARY KEY (phone, device)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS own_prekeys (phone TEXT NOT NULL, id INTEGER NOT NULL, keys BLOB NOT NULL,
  PRIMARY KEY (phone, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sessions (phone TEXT NOT NULL, address TEXT NOT NULL, record TEXT NOT NULL,
  PRIMARY KEY (phone, address)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS groups (id TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sender_keys (phone TEXT NOT NULL, name TEXT NOT NULL, record BLOB NOT NULL,
  PRIMARY KEY (phone, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shown (phone TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, entry TEXT NOT NULL,
  PRIMARY KEY (phone, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sent (seq INTEGER PRIMARY KEY, phone TEXT NOT NULL, id TEXT NOT NULL,
  recipient TEXT NOT NULL, content BLOB NOT NULL, at INTEGER NOT NULL, status TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS sent_by_phone ON sent (phone, id);
CREATE TABLE IF NOT EXISTS mail (seq INTEGER PRIMARY KEY, phone TEXT NOT NULL, device INTEGER NOT NULL,
  key TEXT NOT NULL, stanza BLOB NOT NULL);
`;

/** Shortest time between two commits, ms; changes within it share a commit. WhatsApp acknowledges more slowly. */
const commitIntervalMs = 8;

/**
 * The simulator's state in SQLite, with a write-behind queue. Changes are committed in batches without fsync: a commit
 * survives a crash of the process, but not of the machine.
 */
export class Store {
  readonly db: Database;
  #queue: (() => void)[] = [];
  #latest = new Map<string, () => void>();
  #callbacks: (() => void)[] = [];
  #closed = false;
  #scheduled = false;
  #lastCommit = 0;

  /** Without a `folder` the state stays in memory. */
  constructor(folder?: string) {
    if (folder !== undefined) mkdirSync(folder, { recursive: true });
    this.db = new Database(folder === undefined ? ":memory:" : join(folder, "simulator.sqlite"), {
      create: true,
      strict: true,
    });
    this.db.run("PRAGMA journal_mode = WAL");
    this.db.run("PRAGMA synchronous = OFF");
    // In pages of 4 KB: checkpoints the write-ahead log at 40 MB.
    this.db.run("PRAGMA wal_autocheckpoint = 10000");
    this.db.run(schema);
  }

  /** Enqueues a change. Changes run in order. */
  write(change: () => void): void {
    this.#queue.push(change);
    this.#schedule();
  }

  /** Enqueues a change that replaces a pending one of the same key. Runs after the changes of `write`. */
  writeLatest(key: string, change: () => void): void {
    this.#latest.set(key, change);
    this.#schedule();
  }

  /** Calls back once all changes enqueued so far are committed. */
  afterCommit(callback: () => void): void {
    this.#callbacks.push(callback);
    this.#schedule();
  }

  committed(): Promise<void> {
    return new Promise((resolve) => this.afterCommit(resolve));
  }

  /** Commits pending changes now. Call it before a read that must see them. */
  flush(): void {
    if (this.#closed) return;
    const changes = this.#queue;
    const latest = this.#latest;
    const callbacks = this.#callbacks;
    this.#queue = [];
    this.#callbacks = [];
    if (latest.size > 0) this.#latest = new Map();
    if (changes.length > 0 || latest.size > 0) {
      this.db.transaction(() => {
        for (const change of changes) change();
        for (const change of latest.values()) change();
      })();
    }
    for (const callback of callbacks) callback();
  }

  /** Returns a value that is created at the first call and stored in the folder. */
  remember(key: string, make: () => string): string {
    const row = this.db.query<{ value: string }, [string]>("SELECT value FROM meta WHERE key = ?").get(key);
    if (row) return row.value;
    const value = make();
    this.db.query("INSERT INTO meta (key, value) VALUES (?, ?)").run(key, value);
    return value;
  }

  close(): void {
    this.flush();
    this.#closed = true;
    this.db.close();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const commit = () => {
      this.#scheduled = false;
      this.flush();
      this.#lastCommit = performance.now();
    };
    const wait = this.#lastCommit + commitIntervalMs - performance.now();
    if (wait > 0) setTimeout(commit, wait);
    else setImmediate(commit);
  }
}
