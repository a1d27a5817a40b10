import { Database } from "bun:sqlite";
import type { SQLQueryBindings, Statement } from "bun:sqlite";
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { KeyRing } from "../../../lib/core/key_ring.ts";
import { AuthStore } from "../auth/auth_store.ts";
import type { Volume } from "../volume/volume.ts";
import { storeFolders } from "./records.ts";
import type { ChangeRecord, StoreFolder, Value } from "./records.ts";
import { columnsOf, quoted, schemaHash } from "./row_capture.ts";

/** Auth stores that are open at once. */
const openStores = 64;
/**
 * Added to each AUTOINCREMENT number: numbers that the former owner assigned after the copy's end must not be assigned
 * again, because a reader may still acknowledge them. More than a shard ever assigns in the seconds that a copy lags.
 */
export const sequenceGap = 1_000_000_000;

const partName = "restoring";

type Statements = { put: Statement; remove: Statement };

/** Builds the state of a shard from records, in a folder of its own until it is complete. */
export class Rebuild {
  readonly #volume: Volume;
  readonly #keys: KeyRing;
  readonly #db: Database;
  readonly #tables = new Map<string, Statements>();
  readonly #stores = new Map<string, AuthStore>();
  /** Every store that was written. */
  readonly #written = new Set<string>();

  /** Removes what an interrupted restore has left. */
  constructor(volume: Volume, keys: KeyRing) {
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

  apply(records: readonly ChangeRecord[]): void {
    this.#db.transaction(() => {
      for (const record of records) if (record[0] !== "auth" && record[0] !== "removed") this.#applyRow(record);
    })();
    this.#applyStores(records);
  }

  /** Changes each auth store once every record was applied. */
  eachStore(change: (store: AuthStore) => void): void {
    for (const path of this.#written) {
      const [folder, businessId] = path.split("/") as [StoreFolder, string];
      if (existsSync(this.#file(folder, businessId, "auth.db"))) change(this.#store(folder, businessId));
    }
  }

  /** Moves the state to the volume, durably. Returns the hash of its schema. */
  finish(): string {
    const schema = schemaHash(this.#db);
    this.#db.run(`UPDATE sqlite_sequence SET seq = seq + ${sequenceGap}`);
    this.#db.close();
    this.#closeStores();
    sync(this.#file("shard.db"));
    for (const name of [...storeFolders, "shard.db"]) {
      if (existsSync(this.#file(name))) renameSync(this.#file(name), this.#volume.file(name));
    }
    mkdirSync(this.#volume.file("sessions"), { recursive: true, mode: 0o700 });
    rmSync(this.#file(), { recursive: true });
    sync(this.#volume.path);
    return schema;
  }

  abandon(): void {
    this.#db.close();
    this.#closeStores();
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

  /** Writes what is for the same store together. */
  #applyStores(records: readonly ChangeRecord[]): void {
    let path: string | undefined;
    let changes: [string, Value][] = [];
    const flush = () => {
      if (path === undefined || changes.length === 0) return;
      const [folder, businessId] = path.split("/") as [StoreFolder, string];
      this.#store(folder, businessId).write(changes as [string, Uint8Array | null][]);
      changes = [];
    };
    for (const record of records) {
      const [kind, folder, businessId, name, value] = record as [
        "auth",
        StoreFolder,
        string,
        string,
        Uint8Array | null,
      ];
      if ((kind as string) !== "auth" && (kind as string) !== "removed") continue;
      if (path !== `${folder}/${businessId}`) flush();
      path = `${folder}/${businessId}`;
      if ((kind as string) === "auth") changes.push([name, value]);
      else {
        flush();
        this.#remove(folder, businessId);
      }
    }
    flush();
  }

  #store(folder: StoreFolder, businessId: string): AuthStore {
    const path = `${folder}/${businessId}`;
    const known = this.#stores.get(path);
    if (known) return known;
    if (this.#stores.size >= openStores) this.#closeStores();
    const store = AuthStore.open(this.#file(folder, businessId, "auth.db"), businessId, this.#keys);
    this.#stores.set(path, store);
    this.#written.add(path);
    return store;
  }

  #remove(folder: StoreFolder, businessId: string): void {
    const path = `${folder}/${businessId}`;
    this.#stores.get(path)?.close();
    this.#stores.delete(path);
    rmSync(this.#file(folder, businessId), { recursive: true, force: true });
  }

  #closeStores(): void {
    for (const [path, store] of this.#stores) {
      store.sync();
      store.close();
      sync(join(this.#file(), path, "auth.db"));
    }
    this.#stores.clear();
  }
}

function sync(path: string): void {
  const file = openSync(path, "r");
  fsyncSync(file);
  closeSync(file);
}
