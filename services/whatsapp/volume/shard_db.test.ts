import { afterEach, beforeEach, expect, test } from "bun:test";
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

test("an old key is needed while anything is sealed under it, and can go afterwards", async () => {
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

test("writes of one moment are committed together, in order", async () => {
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

test("a file of something else is refused and left as it was", () => {
  writeFileSync(path, "not a database".repeat(100));
  expect(() => open(first!)).toThrow(/cannot be used/);
});

test("an old key is needed also where a business with an older ledger moved in since the rotation", async () => {
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
  await new Ledger(db).takeOver("moved in", [{ ...old, error_code: null, error_message: null }]);
  db.close();
  open(both).close();
  expect(() => open(second!)).toThrow(VolumeRefused);
});

test("each opening seals under a subkey of its own", async () => {
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
