import { Database } from "bun:sqlite";
import type { SQLQueryBindings, Statement } from "bun:sqlite";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import type { KeyRing } from "../../../lib/core/key_ring.ts";
import { AuthStore } from "../auth/auth_store.ts";
import { syncToDisk } from "../volume/durable_file.ts";
import type { Volume } from "../volume/volume.ts";
import { sizeOf, storeFolders } from "./records.ts";
import type { ChangeRecord, StoreFolder } from "./records.ts";
import { columnsOf, quoted, schemaHash } from "./row_capture.ts";

/** Auth stores that are open at once. */
const openStores = 64;
/** Bytes of changes of auth stores that are grouped by store before they are written. */
const maxGroupedBytes = 16 * 1024 * 1024;
/**
 * Added to each AUTOINCREMENT number: numbers that the former owner assigned after the copy's end must not be assigned
 * again, because a reader may still acknowledge them. More than a shard ever assigns in the seconds that a copy lags.
 */
const sequenceGap = 1_000_000_000;

const partName = "restoring";

type Statements = { put: Statement; remove: Statement };

/** Changes of an auth store that are not written yet: the last value of each name. */
type StoreChanges = { isRemoved: boolean; values: Map<string, Uint8Array | null> };

/**
 * Builds the state of a shard from records, in a folder of its own until it is complete. Calls `pause` between two
 * stores, so that the lease is renewed and checked: a shard may have hundreds of them.
 */
export class Rebuild {
  readonly #volume: Volume;
  readonly #keys: KeyRing;
  readonly #db: Database;
  readonly #tables = new Map<string, Statements>();
  readonly #pause: () => Promise<void>;
  /** The least recently used first. */
  readonly #stores = new Map<string, AuthStore>();
  /** Every store that exists, by its path. */
  readonly #written = new Set<string>();
  #grouped = new Map<string, StoreChanges>();
  #groupedBytes = 0;

  /** Removes what an interrupted restore has left. */
  constructor(volume: Volume, keys: KeyRing, pause: () => Promise<void>) {
    this.#pause = pause;
    this.#volume = volume;
    this.#keys = keys;
    for (const name of [partName, "shard.db", "shard.db-wal", "shard.db-shm", ...storeFolders])
      rmSync(volume.file(name), { recursive: true, force: true });
    mkdirSync(volume.file(partName), { mode: 0o700 });
    this.#db = new Database(volume.file(partName, "shard.db"), { readwrite: true, create: true });
    // Until `finish` nothing counts on it.
    this.#db.run("PRAGMA journal_mode = OFF");
    this.#db.run("PRAGMA synchronous = OFF");
  }

  /** Applies the records in their order, those of auth stores at the latest in `writeStores`. */
  async apply(records: readonly ChangeRecord[]): Promise<void> {
    this.#db.transaction(() => {
      for (const record of records) {
        if (record[0] === "auth" || record[0] === "removed") this.#group(record);
        else this.#applyRow(record);
      }
    })();
    await this.#pause();
    if (this.#groupedBytes >= maxGroupedBytes) await this.writeStores();
  }

  /** Writes the changes of auth stores that were applied. Returns the number of stores that exist. */
  async writeStores(): Promise<number> {
    const grouped = this.#grouped;
    this.#grouped = new Map();
    this.#groupedBytes = 0;
    for (const [path, { isRemoved, values }] of grouped) {
      if (isRemoved) this.#remove(path);
      if (values.size > 0) this.#store(path).write(values);
      await this.#pause();
    }
    return this.#written.size;
  }

  /** Changes each auth store. */
  async eachStore(change: (store: AuthStore) => void): Promise<void> {
    for (const path of this.#written) {
      change(this.#store(path));
      await this.#pause();
    }
  }

  /** Moves the state to the volume, durably. Returns the hash of its schema. */
  async finish(): Promise<string> {
    const schema = schemaHash(this.#db);
    this.#db.run(`UPDATE sqlite_sequence SET seq = seq + ${sequenceGap}`);
    this.#db.close();
    for (const path of this.#written) {
      this.#close(path);
      syncToDisk(this.#file(path, "auth.db"));
      syncToDisk(this.#file(path));
      await this.#pause();
    }
    await this.#pause();
    for (const name of [...storeFolders, "shard.db"]) {
      if (!existsSync(this.#file(name))) continue;
      syncToDisk(this.#file(name));
      renameSync(this.#file(name), this.#volume.file(name));
    }
    mkdirSync(this.#volume.file("sessions"), { recursive: true, mode: 0o700 });
    rmSync(this.#file(), { recursive: true });
    syncToDisk(this.#volume.path);
    return schema;
  }

  abandon(): void {
    this.#db.close();
    for (const store of this.#stores.values()) store.close();
    this.#stores.clear();
    rmSync(this.#file(), { recursive: true, force: true });
  }

  #file(...parts: string[]): string {
    return this.#volume.file(partName, ...parts);
  }

  #applyRow([kind, name, ...values]: ChangeRecord): void {
    switch (kind) {
      case "schema":
        this.#db.run(name as string);
        return;
      case "row":
        this.#table(name as string).put.run(...(values as SQLQueryBindings[]));
        return;
      case "gone":
        this.#table(name as string).remove.run(...(values as SQLQueryBindings[]));
        return;
      case "sequence": {
        const to = [values[0] as number, name as string] as const;
        const { changes } = this.#db.query("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?").run(...to);
        if (changes === 0) this.#db.query("INSERT INTO sqlite_sequence (seq, name) VALUES (?, ?)").run(...to);
        return;
      }
      default:
        throw new TypeError(`a record is of an unknown kind: ${kind}`);
    }
  }

  #table(name: string): Statements {
    const known = this.#tables.get(name);
    if (known) return known;
    const { columns, key } = columnsOf(this.#db, name);
    const statements = {
      put: this.#db.query(
        `INSERT OR REPLACE INTO ${quoted(name)} (${columns.map(quoted).join(", ")})
         VALUES (${columns.map(() => "?").join(", ")})`,
      ),
      remove: this.#db.query(
        `DELETE FROM ${quoted(name)} WHERE ${key.map((column) => `${quoted(column)} = ?`).join(" AND ")}`,
      ),
    };
    this.#tables.set(name, statements);
    return statements;
  }

  #group(record: ChangeRecord): void {
    const [kind, folder, businessId, name, value] = record as [string, string, string, string, Uint8Array | null];
    const path = `${folder}/${businessId}`;
    if (kind === "removed") this.#grouped.set(path, { isRemoved: true, values: new Map() });
    else {
      const changes = this.#grouped.get(path) ?? { isRemoved: false, values: new Map() };
      changes.values.set(name, value);
      this.#grouped.set(path, changes);
      this.#groupedBytes += sizeOf(record);
    }
  }

  #store(path: string): AuthStore {
    const known = this.#stores.get(path);
    if (known) this.#stores.delete(path);
    else if (this.#stores.size >= openStores) this.#close(this.#stores.keys().next().value!);
    const [folder, businessId] = path.split("/") as [StoreFolder, string];
    const file = this.#file(folder, businessId, "auth.db");
    // `finish` flushes them once.
    const store = known ?? AuthStore.open(file, businessId, this.#keys, undefined, "OFF");
    this.#stores.set(path, store);
    this.#written.add(path);
    return store;
  }

  #remove(path: string): void {
    this.#close(path);
    this.#written.delete(path);
    rmSync(this.#file(path), { recursive: true, force: true });
  }

  #close(path: string): void {
    this.#stores.get(path)?.close();
    this.#stores.delete(path);
  }
}
