import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { RowCapture, schemaHash } from "./row_capture.ts";

let db: Database;
let rows: RowCapture;
beforeEach(() => {
  db = new Database(":memory:");
  db.run("CREATE TABLE plain (salt BLOB, note TEXT)");
  db.run("CREATE TABLE numbered (seq INTEGER PRIMARY KEY AUTOINCREMENT, note TEXT)");
  db.run("CREATE TABLE pairs (a TEXT, b TEXT, note TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID");
  rows = new RowCapture(db);
});
afterEach(() => db.close());

describe("changed rows", () => {
  test("are taken once, as they are now", () => {
    db.run("INSERT INTO numbered (note) VALUES ('a'), ('b')");
    db.run("UPDATE numbered SET note = 'c' WHERE seq = 1");
    db.run("DELETE FROM numbered WHERE seq = 2");
    expect(rows.take()).toEqual([
      ["row", "numbered", 1, "c"],
      ["gone", "numbered", 2],
      ["sequence", "numbered", 2],
    ]);
    expect(rows.take()).toEqual([]);
  });

  test("are noted by compound keys and by rowid", () => {
    db.run("INSERT INTO pairs VALUES ('x', 'y', 'first') ON CONFLICT DO NOTHING");
    db.run("INSERT OR REPLACE INTO pairs VALUES ('x', 'y', 'second')");
    db.run("INSERT INTO plain VALUES (x'00ff', 'salted')");
    const taken = rows.take();
    expect(taken).toContainEqual(["row", "pairs", "x", "y", "second"]);
    expect(taken).toContainEqual(["row", "plain", 1, new Uint8Array([0, 255]), "salted"]);
    db.run("UPDATE pairs SET b = 'z' WHERE a = 'x'");
    expect(rows.take()).toEqual([
      ["gone", "pairs", "x", "y"],
      ["row", "pairs", "x", "z", "second"],
    ]);
    db.run("DELETE FROM plain");
    expect(rows.take()).toEqual([["gone", "plain", 1]]);
  });

  test("are forgotten by a rollback", () => {
    const failing = db.transaction(() => {
      db.run("INSERT INTO numbered (note) VALUES ('a')");
      throw new Error("the disk is full");
    });
    expect(failing).toThrow("the disk is full");
    expect(rows.take()).toEqual([]);
  });

  test("do not count as changes of the statement", () => {
    db.run("INSERT INTO numbered (note) VALUES ('a'), ('b'), ('c')");
    expect(db.query("DELETE FROM numbered WHERE seq < 3").run().changes).toBe(2);
  });
});

describe("a whole database", () => {
  test("is read in pages, with schema and numbers", () => {
    const insert = db.query("INSERT INTO pairs VALUES (?, ?, ?)");
    for (let n = 0; n < 1_234; n++) insert.run(`${n % 7}`, `${n}`, "x");
    db.run("INSERT INTO numbered (note) VALUES ('a')");
    const pages = [...rows.all()];
    expect(pages.every((page) => page.length <= 500)).toBeTrue();
    const all = pages.flat();
    expect(
      new Set(
        all
          .filter(([kind, name]) => kind === "row" && name === "pairs")
          .map(([, , a, b]) => `${String(a)} ${String(b)}`),
      ).size,
    ).toBe(1_234);
    expect(all).toContainEqual(["sequence", "numbered", 1]);
    const copy = new Database(":memory:");
    for (const [kind, statement] of all) if (kind === "schema") copy.run(statement as string);
    expect(schemaHash(copy)).toBe(schemaHash(db));
    copy.close();
  });
});
