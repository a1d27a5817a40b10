import type { Database, SQLQueryBindings, Statement } from "bun:sqlite";
import { createHash } from "node:crypto";
import type { ChangeRecord, Value } from "./records.ts";

type Table = {
  name: string;
  columns: string[];
  key: string[];
  changed: Statement<Value[], SQLQueryBindings[]>;
  page: Statement<Value[], SQLQueryBindings[]>;
  clear: Statement<unknown, []>;
};

/** Rows of one page of a snapshot. */
const rowsPerPage = 500;

/**
 * Captures the rows of a database that change. Temporary triggers note the keys of changed rows in memory, so that no
 * writer has to announce its changes, and an index or a table that a later version adds is captured too. The notes are
 * part of the transaction: a rollback drops them.
 */
export class RowCapture {
  readonly #db: Database;
  readonly #tables: Table[];
  readonly #sequences: Statement<{ name: string; seq: number }, []> | undefined;
  readonly #sequenceOf = new Map<string, number>();

  /** To be created once every table exists. */
  constructor(db: Database) {
    this.#db = db;
    db.run("PRAGMA temp_store = MEMORY");
    this.#tables = tablesOf(db).map((table) => capture(db, table));
    const numbered = db.query("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").get() !== null;
    if (numbered) this.#sequences = db.query("SELECT name, seq FROM sqlite_sequence");
  }

  /** The rows that changed since the last call, as they are now. */
  take(): ChangeRecord[] {
    const records: ChangeRecord[] = [];
    for (const { name, key, changed, clear } of this.#tables) {
      const rows = changed.values() as Value[][];
      if (rows.length === 0) continue;
      for (const [present, ...values] of rows) {
        records.push(
          present === null
            ? ["gone", name, ...values.slice(0, key.length)]
            : ["row", name, ...values.slice(key.length)],
        );
      }
      clear.run();
    }
    if (records.length > 0) records.push(...this.#changedSequences());
    return records;
  }

  /** The whole database, page by page. Rows that change between two pages are also captured. */
  *all(): Generator<ChangeRecord[]> {
    yield schemaOf(this.#db).map((statement): ChangeRecord => ["schema", statement]);
    const sequences = this.#sequences?.all() ?? [];
    yield sequences.map(({ name, seq }): ChangeRecord => ["sequence", name, seq]);
    for (const { name, key, page } of this.#tables) {
      let last: Value[] | undefined;
      for (;;) {
        const rows: Value[][] = page.values(last === undefined ? 0 : 1, ...(last ?? key.map(() => null))) as Value[][];
        if (rows.length === 0) break;
        yield rows.map((values): ChangeRecord => ["row", name, ...values.slice(key.length)]);
        last = rows.at(-1)!.slice(0, key.length);
      }
    }
  }

  #changedSequences(): ChangeRecord[] {
    const changed = (this.#sequences?.all() ?? []).filter(({ name, seq }) => this.#sequenceOf.get(name) !== seq);
    for (const { name, seq } of changed) this.#sequenceOf.set(name, seq);
    return changed.map(({ name, seq }): ChangeRecord => ["sequence", name, seq]);
  }
}

/** Columns of a row's record, and of its key. A table without a primary key has its rowid for one, and as a column. */
export function columnsOf(db: Database, table: string): { columns: string[]; key: string[] } {
  const info = db
    .query<{ name: string; pk: number }, []>(`PRAGMA table_info(${quoted(table)})`)
    .all()
    .map(({ name, pk }) => ({ name, pk }));
  const columns = info.map(({ name }) => name);
  const key = info
    .filter(({ pk }) => pk > 0)
    .toSorted((a, b) => a.pk - b.pk)
    .map(({ name }) => name);
  return key.length > 0 ? { columns, key } : { columns: ["rowid", ...columns], key: ["rowid"] };
}

/** Identifies the tables and indexes of a database. */
export const schemaHash = (db: Database): string =>
  createHash("sha256")
    .update(JSON.stringify(schemaOf(db)))
    .digest("hex");

export const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

function tablesOf(db: Database): string[] {
  return db
    .query<{ name: string }, []>(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )
    .all()
    .map(({ name }) => name);
}

/** Statements that create the same, empty database. */
function schemaOf(db: Database): string[] {
  const pragma = (name: string) => Object.values(db.query(`PRAGMA ${name}`).get() as object)[0] as number;
  const statements = db
    .query<{ sql: string }, []>(
      `SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
       ORDER BY type DESC, name`,
    )
    .all()
    .map(({ sql }) => sql);
  return [...["application_id", "user_version"].map((name) => `PRAGMA ${name} = ${pragma(name)}`), ...statements];
}

function capture(db: Database, name: string): Table {
  const { columns, key } = columnsOf(db, name);
  const changed = quoted(`changed_${name}`);
  const table = quoted(name);
  const [names, keyNames] = [columns.map(quoted), key.map(quoted)];
  db.run(`CREATE TEMP TABLE ${changed} (${keyNames.join(", ")}, PRIMARY KEY (${keyNames.join(", ")})) WITHOUT ROWID`);
  const events = [
    ["INSERT", ["new"]],
    ["UPDATE", ["old", "new"]],
    ["DELETE", ["old"]],
  ] as const;
  for (const [event, versions] of events) {
    const notes = versions.map(
      (version) =>
        `INSERT OR IGNORE INTO ${changed} VALUES (${keyNames.map((column) => `${version}.${column}`).join(", ")});`,
    );
    db.run(
      `CREATE TEMP TRIGGER ${quoted(`${event}_${name}`)} AFTER ${event} ON main.${table} BEGIN ${notes.join(" ")} END`,
    );
  }
  const ofRow = names.map((column) => `main.${table}.${column}`).join(", ");
  const ofChange = keyNames.map((column) => `temp.${changed}.${column}`).join(", ");
  const same = keyNames.map((column) => `main.${table}.${column} = temp.${changed}.${column}`).join(" AND ");
  const parameters = key.map((_, i) => `?${i + 2}`).join(", ");
  return {
    name,
    columns,
    key,
    changed: db.query(
      `SELECT main.${table}.${keyNames[0]!}, ${ofChange}, ${ofRow}
       FROM temp.${changed} LEFT JOIN main.${table} ON ${same}`,
    ),
    page: db.query(
      `SELECT ${keyNames.join(", ")}, ${names.join(", ")} FROM main.${table}
       WHERE ?1 = 0 OR (${keyNames.join(", ")}) > (${parameters})
       ORDER BY ${keyNames.join(", ")} LIMIT ${rowsPerPage}`,
    ),
    clear: db.query(`DELETE FROM temp.${changed}`),
  };
}
