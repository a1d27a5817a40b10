import { Database, SQLiteError } from "bun:sqlite";
import type { Statement } from "bun:sqlite";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf } from "../../../lib/core/errors.ts";
import { TamperedValue, UnknownKey } from "../../../lib/core/key_ring.ts";
import type { KeyRing, Sealer } from "../../../lib/core/key_ring.ts";
import { isStale } from "../volume/shard_db.ts";

/** SQLite's application_id of our stores: "PSau". Distinguishes them from other SQLite files. */
const applicationId = 0x50_53_61_75;
const format = 1;
/** No name of a value contains it. */
const lastCharacter = "\u{10FFFF}";
/** Sealed into every new store; if it opens, the key ring fits the store. */
const canary = "canary";

export type StoreFault =
  /** The file is empty, cut short, or damaged inside. */
  | "damaged"
  /** A file of another kind, or of another business. */
  | "foreign"
  /** AUTH_KEYS does not open it. */
  | "wrong_key";

/** The store cannot be used. The file was left untouched. */
export class AuthStoreError extends Error {
  readonly fault: StoreFault;

  constructor(fault: StoreFault, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "AuthStoreError";
    this.fault = fault;
  }
}

/** OFF leaves the flush to the disk to the caller: for a store that no other process uses until then. */
export type Sync = "NORMAL" | "OFF";

type Row = { name: string; key_id: string; box: Uint8Array };

/** A value to be written, or null to delete it. */
export type Changes = Iterable<readonly [name: string, value: Uint8Array | null]>;

/** Copies a store's changes off the volume (services/whatsapp/copy). */
export type StoreCopy = {
  /** From now on the store is read through this object. */
  opened(store: AuthStore): void;
  closed(): void;
  /** Called after each commit. Resolves once the copy has the changes; undefined if nothing has to wait for that. */
  wrote(changes: readonly (readonly [name: string, value: Uint8Array | null])[]): Promise<void> | undefined;
};

/**
 * The auth state of one business: named values, each sealed, in a SQLite file of its own. A `write` is one transaction.
 * WAL with synchronous=NORMAL: writes survive the death of the process at any point; a power cut may lose the last
 * moments, which the Signal protocol's retries repair.
 */
export class AuthStore {
  readonly #db: Database;
  readonly #business: string;
  readonly #sealer: Sealer;
  readonly #select: Statement<Row, [string]>;
  readonly #upsert: Statement<unknown, [string, string, Uint8Array]>;
  readonly #delete: Statement<unknown, [string]>;
  readonly #writeAll: (changes: Changes) => void;
  readonly #copy: StoreCopy | undefined;
  /** Resolves once the copy has the last write; undefined if nothing has to wait for that. */
  copied: Promise<void> | undefined;

  private constructor(db: Database, business: string, sealer: Sealer, copy?: StoreCopy) {
    this.#copy = copy;
    this.#db = db;
    this.#business = business;
    this.#sealer = sealer;
    this.#select = db.query("SELECT name, key_id, box FROM entries WHERE name = ?");
    this.#upsert = db.query(
      "INSERT INTO entries (name, key_id, box) VALUES (?, ?, ?) " +
        "ON CONFLICT (name) DO UPDATE SET key_id = excluded.key_id, box = excluded.box",
    );
    this.#delete = db.query("DELETE FROM entries WHERE name = ?");
    this.#writeAll = db.transaction((changes: Changes) => {
      for (const [name, value] of changes) {
        if (value === null) this.#delete.run(name);
        else this.#put(name, value);
      }
    });
  }

  /**
   * Opens the store at `path`, or creates it if there is no file.
   * @throws AuthStoreError if the file is not this business's store under these keys. Another error if the volume
   *   cannot open it now, which says nothing about the store.
   */
  static open(path: string, business: string, keys: KeyRing, copy?: StoreCopy, sync: Sync = "NORMAL"): AuthStore {
    if (!existsSync(path)) return AuthStore.#create(path, business, keys, copy, sync);
    // SQLite takes an empty file for a new database: it would silently replace a store that was truncated to nothing.
    if (statSync(path).size === 0) throw new AuthStoreError("damaged", "the auth store is empty: it was cut short");
    let db: Database | undefined;
    try {
      db = new Database(path, { readwrite: true, create: false });
      const sealer = check(db, business, keys);
      tune(db, sync);
      const store = new AuthStore(db, business, sealer, copy);
      store.#verify();
      copy?.opened(store);
      return store;
    } catch (error) {
      db?.close();
      if (error instanceof AuthStoreError || isVolumes(error)) throw error;
      throw new AuthStoreError("damaged", `the auth store cannot be read: ${messageOf(error)}`, error);
    }
  }

  /** Created under another name and then renamed, so that a crash leaves no partial store. */
  static #create(path: string, business: string, keys: KeyRing, copy: StoreCopy | undefined, sync: Sync): AuthStore {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const unfinished = `${path}.new`;
    rmSync(unfinished, { force: true });
    const db = new Database(unfinished, { readwrite: true, create: true });
    if (sync === "OFF") db.run("PRAGMA synchronous = OFF");
    const salt = randomBytes(16);
    db.run(`PRAGMA application_id = ${applicationId}`);
    db.run(`PRAGMA user_version = ${format}`);
    db.run("CREATE TABLE store (business_id TEXT NOT NULL, salt BLOB NOT NULL)");
    db.run("CREATE TABLE entries (name TEXT PRIMARY KEY, key_id TEXT NOT NULL, box BLOB NOT NULL)");
    db.query("INSERT INTO store (business_id, salt) VALUES (?, ?)").run(business, salt);
    const store = new AuthStore(db, business, keys.rotatingSealer("auth store", salt));
    store.write([[canary, Buffer.from(business)]]);
    store.close();
    renameSync(unfinished, path);
    return AuthStore.open(path, business, keys, copy, sync);
  }

  /** @throws AuthStoreError if the value was altered. */
  read(name: string): Buffer | undefined {
    const row = this.#select.get(name);
    return row === null ? undefined : this.#open(row);
  }

  /** The names of all values that begin with `prefix`. */
  names(prefix = ""): string[] {
    return this.#db
      .query<{ name: string }, [string, string]>("SELECT name FROM entries WHERE name >= ? AND name < ?")
      .all(prefix, `${prefix}${lastCharacter}`)
      .map(({ name }) => name);
  }

  /** Writes and deletes in one transaction. */
  write(changes: Changes): void {
    const all = [...changes];
    this.#writeAll(all);
    this.copied = this.#copy?.wrote(all);
  }

  /** Flushes all writes to the database file and to the disk: for values that no retry recovers after a power cut. */
  sync(): void {
    this.#db.run("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  close(): void {
    this.#copy?.closed();
    this.#db.close();
  }

  #put(name: string, value: Uint8Array): void {
    const { keyId, box } = this.#sealer.seal(value, this.#context(name));
    this.#upsert.run(name, keyId, box);
  }

  #open(row: Row): Buffer {
    try {
      return this.#sealer.open({ keyId: row.key_id, box: row.box }, this.#context(row.name));
    } catch (error) {
      if (error instanceof UnknownKey)
        throw new AuthStoreError("wrong_key", `${error.message}, under which this auth store is sealed`, error);
      if (error instanceof TamperedValue) throw new AuthStoreError("wrong_key", error.message, error);
      throw error;
    }
  }

  #context(name: string): string {
    return `${this.#business}/${name}`;
  }

  /** Checks that the ring opens the store, and reseals values of older keys under the first. */
  #verify(): void {
    if (this.read(canary)?.toString() !== this.#business)
      throw new AuthStoreError("damaged", "the auth store lacks its canary");
    const stale = this.#db.query<Row, [string]>(`SELECT name, key_id, box FROM entries WHERE ${isStale}`);
    const rows = stale.all(this.#sealer.keyId);
    if (rows.length > 0) this.#writeAll(rows.map((row) => [row.name, this.#open(row)] as const));
  }
}

/** Too many open files, a failing or read-only disk: the next attempt may succeed. A truncated file stays truncated. */
function isVolumes(error: unknown): boolean {
  return (
    error instanceof SQLiteError &&
    /^SQLITE_(CANTOPEN|IOERR(?!_SHORT_READ)|BUSY|LOCKED|FULL|NOMEM|READONLY|PERM)/.test(error.code ?? "")
  );
}

/** Refuses a file that is not our store, before anything in it is changed. */
function check(db: Database, business: string, keys: KeyRing): Sealer {
  const number = (pragma: string) => Number(Object.values(db.query(`PRAGMA ${pragma}`).get() as object)[0]);
  if (number("application_id") !== applicationId)
    throw new AuthStoreError("foreign", "the file is a database, but not an auth store of a shard");
  if (number("user_version") !== format) {
    throw new AuthStoreError(
      "foreign",
      `the auth store has format ${number("user_version")}; this version reads format ${format}`,
    );
  }
  const { quick_check: verdict } = db.query("PRAGMA quick_check(1)").get() as { quick_check: string };
  if (verdict !== "ok") throw new AuthStoreError("damaged", `the auth store is damaged: ${verdict}`);
  const store = db.query<{ business_id: string; salt: Uint8Array }, []>("SELECT business_id, salt FROM store").get();
  if (store?.business_id !== business)
    throw new AuthStoreError("foreign", "the auth store belongs to another business");
  return keys.rotatingSealer("auth store", store.salt);
}

function tune(db: Database, sync: Sync): void {
  db.run("PRAGMA locking_mode = EXCLUSIVE"); // the volume has one owner; also spares the shared-memory file
  db.run("PRAGMA journal_mode = WAL");
  db.run(`PRAGMA synchronous = ${sync}`);
  db.run("PRAGMA cache_size = -128"); // KiB; a thousand stores may be open
  db.run("PRAGMA wal_autocheckpoint = 256"); // pages: 1 MiB of log a store at most
  db.run("PRAGMA secure_delete = OFF"); // deleted values were sealed
}
