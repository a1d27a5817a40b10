import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { createLogger } from "../../../lib/runtime/log.ts";
import { AuthStore } from "../auth/auth_store.ts";
import type { Volume } from "../volume/volume.ts";
import type { ChangeRecord } from "./records.ts";
import { StoreCopies } from "./store_copies.ts";

const keys = KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`);
let folder: string;
let added: ChangeRecord[];
let dropped: string[];
let copies: StoreCopies;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "store-copies-"));
  [added, dropped] = [[], []];
  copies = new StoreCopies({
    volume: { path: folder, shard: 1, file: (...parts) => join(folder, ...parts), release: () => {} } satisfies Volume,
    keys,
    logger: createLogger("test", "info", { write: () => {} }),
    add: (records) => void added.push(...records),
    drop: (reason) => void dropped.push(reason),
    copied: () => undefined,
  });
  for (const business of ["a", "b"]) {
    const store = open(business);
    store.write([["creds", Buffer.from(business)]]);
    store.close();
  }
});
afterEach(() => rmSync(folder, { recursive: true }));

const pathOf = (business: string) => join(folder, "sessions", business, "auth.db");
const open = (business: string) => AuthStore.open(pathOf(business), business, keys);
/** Holds a store as another process would. */
function lock(business: string): Database {
  const db = new Database(pathOf(business));
  db.run("PRAGMA locking_mode = EXCLUSIVE");
  db.run("BEGIN EXCLUSIVE");
  return db;
}
const credentials = (records: ChangeRecord[]) =>
  records.filter(([, , , name]) => name === "creds").map(([, , business]) => business);

describe("the copied auth stores", () => {
  test("fail as a whole while one is locked", () => {
    const elsewhere = lock("b");
    try {
      expect(() => [...copies.all()]).toThrow("locked");
    } finally {
      elsewhere.close();
    }
    expect(credentials([...copies.all()].flat()).toSorted()).toEqual(["a", "b"]);
  });

  test("leave out a damaged one", () => {
    truncateSync(pathOf("b"), 0);
    expect(credentials([...copies.all()].flat())).toEqual(["a"]);
  });
});

describe("a promoted auth store", () => {
  test("is added after its removal", () => {
    copies.promoted("a");
    expect(added.slice(0, 2)).toEqual([
      ["removed", "arriving", "a"],
      ["removed", "sessions", "a"],
    ]);
    expect(credentials(added)).toEqual(["a"]);
    expect(dropped).toEqual([]);
  });

  test("leaves a gap while it is locked", () => {
    const elsewhere = lock("a");
    try {
      copies.promoted("a");
    } finally {
      elsewhere.close();
    }
    expect(dropped).toHaveLength(1);
  });
});
