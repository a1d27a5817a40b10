import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { Ledger, ledgerRetentionMs } from "../sending/ledger.ts";
import { ShardDb } from "./shard_db.ts";
import { VolumeRefused } from "./volume.ts";

const [first, second] = [1, 2].map((n) => `k${n}:${randomBytes(32).toString("base64")}`);
const open = (ring: string) => ShardDb.open(path, KeyRing.parse(ring));

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "shard-db-"));
  path = join(folder, "shard.db");
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("the shard's database", () => {
  test("needs an old key until all is resealed", async () => {
    let db = open(first!);
    await new Ledger(db).add("b", [{ waMessageId: "A", chat: "c", body: Buffer.from("x") }]);
    db.close();
    const both = `${second},${first}`;
    open(both).close();
    expect(() => open(second!)).toThrow(VolumeRefused);
    db = open(both);
    await new Ledger(db).purge(Date.now() + 2 * ledgerRetentionMs);
    db.close();
    open(both).close();
    open(second!).close();
  });

  test("commits concurrent writes together, in order", async () => {
    const db = open(first!);
    db.db.run("CREATE TABLE t (n INTEGER)");
    const commits: number[] = [];
    const insert = db.db.query("INSERT INTO t VALUES (?)");
    const writes = [1, 2, 3].map((n) => db.write(() => void insert.run(n)).then(() => commits.push(n)));
    expect(db.db.query("SELECT n FROM t").all()).toEqual([]);
    await Promise.all(writes);
    expect(commits).toEqual([1, 2, 3]);
    expect(db.db.query("SELECT n FROM t").values()).toEqual([[1], [2], [3]]);
    db.close();
  });

  test("refuses a foreign file and leaves it untouched", () => {
    writeFileSync(path, "not a database".repeat(100));
    expect(() => open(first!)).toThrow(/cannot be used/);
  });

  test("adds the columns that an earlier version lacks", async () => {
    open(first!).close();
    const earlier = new Database(path);
    earlier.run("ALTER TABLE sends DROP COLUMN recipients");
    earlier.close();
    for (let start = 0; start < 2; start++) {
      const db = open(first!);
      await new Ledger(db).add("b", [{ waMessageId: "A", chat: "1@g.us", body: Buffer.from("x") }]);
      await new Ledger(db).setRecipients("b", "A", 2);
      expect(new Ledger(db).sentTo("b", "A")).toEqual({ chat: "1@g.us", recipients: 2 });
      db.close();
    }
  });

  test("needs an old key for an imported ledger too", async () => {
    let db = open(first!);
    await new Ledger(db).add("here", [{ waMessageId: "A", chat: "c", body: Buffer.from("x") }]);
    db.close();
    const both = `${second},${first}`;
    db = open(both);
    const old = {
      wa_message_id: "B",
      at: Date.now() - 86_400_000,
      chat: "c",
      body: Buffer.from("y"),
      result: "sent",
      result_at: 1,
    } as const;
    await new Ledger(db).takeOver("moved in", [{ ...old, recipients: null, error_code: null, error_message: null }]);
    db.close();
    open(both).close();
    expect(() => open(second!)).toThrow(VolumeRefused);
  });

  test("seals under a subkey of each opening", async () => {
    for (const id of ["A", "B"]) {
      const db = open(first!);
      await new Ledger(db).add("b", [{ waMessageId: id, chat: "c", body: Buffer.from(id) }]);
      db.close();
    }
    const db = open(first!);
    const ids = db.db.query<{ key_id: string }, []>("SELECT DISTINCT key_id FROM sends").all();
    expect(ids).toHaveLength(2);
    expect(["A", "B"].map((id) => new Ledger(db).body("b", id)?.toString())).toEqual(["A", "B"]);
    db.close();
  });
});
