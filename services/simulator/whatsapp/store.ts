import { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

const schema = `
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS phones (phone TEXT PRIMARY KEY, lid TEXT NOT NULL UNIQUE, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS devices (phone TEXT NOT NULL, device INTEGER NOT NULL, state TEXT NOT NULL, prekeys BLOB NOT NULL,
  PRIMARY KEY (phone, device)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS own_prekeys (phone TEXT NOT NULL, id INTEGER NOT NULL, keys BLOB NOT NULL, PRIMARY KEY (phone, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sessions (phone TEXT NOT NULL, address TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY (phone, address)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS groups (id TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sender_keys (phone TEXT NOT NULL, name TEXT NOT NULL, record BLOB NOT NULL, PRIMARY KEY (phone, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shown (phone TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, entry TEXT NOT NULL,
  PRIMARY KEY (phone, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sent (seq INTEGER PRIMARY KEY, phone TEXT NOT NULL, id TEXT NOT NULL, recipient TEXT NOT NULL, content BLOB NOT NULL,
  at INTEGER NOT NULL, status TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS sent_by_phone ON sent (phone, id);
CREATE TABLE IF NOT EXISTS mail (seq INTEGER PRIMARY KEY, phone TEXT NOT NULL, device INTEGER NOT NULL, key TEXT NOT NULL, stanza BLOB NOT NULL);
`;

/** The least time between two commits, in ms: under load, what comes within it shares one. WhatsApp itself takes longer to acknowledge. */
const commitIntervalMs = 8;

/**
 * The simulator's memory: SQLite, written behind. Changes queue up and go in together, without waiting for the disk:
 * what is committed survives the death of the process, not of the machine.
 */
export class Store {
  readonly db: Database;
  #queue: (() => void)[] = [];
  #latest = new Map<string, () => void>();
  #waiting: (() => void)[] = [];
  #closed = false;
  #scheduled = false;
  #lastCommit = 0;

  /** `folder` undefined: nothing outlives the process. */
  constructor(folder?: string) {
    if (folder !== undefined) mkdirSync(folder, { recursive: true });
    this.db = new Database(folder === undefined ? ":memory:" : join(folder, "simulator.sqlite"), {
      create: true,
      strict: true,
    });
    this.db.run("PRAGMA journal_mode = WAL");
    this.db.run("PRAGMA synchronous = OFF");
    // Pages of 4 KB: copying them back into the database is put off until there are 40 MB.
    this.db.run("PRAGMA wal_autocheckpoint = 10000");
    this.db.run(schema);
  }

  /** Queues a change; changes happen in the order they were queued. */
  write(change: () => void): void {
    this.#queue.push(change);
    this.#schedule();
  }

  /** Queues a change that replaces an earlier one of the same key if that has not happened yet. Runs after those of `write`. */
  writeLatest(key: string, change: () => void): void {
    this.#latest.set(key, change);
    this.#schedule();
  }

  /** Calls back once everything queued so far is committed. */
  afterCommit(callback: () => void): void {
    this.#waiting.push(callback);
    this.#schedule();
  }

  committed(): Promise<void> {
    return new Promise((resolve) => this.afterCommit(resolve));
  }

  /** Commits what is queued, now: before a read that must see it. */
  flush(): void {
    if (this.#closed) return;
    const changes = this.#queue;
    const latest = this.#latest;
    const waiting = this.#waiting;
    this.#queue = [];
    this.#waiting = [];
    if (latest.size > 0) this.#latest = new Map();
    if (changes.length > 0 || latest.size > 0) {
      this.db.transaction(() => {
        for (const change of changes) change();
        for (const change of latest.values()) change();
      })();
    }
    for (const callback of waiting) callback();
  }

  /** A value that stays the same for the life of the folder: made at the first call. */
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
