import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Database, SQLiteError } from "bun:sqlite";
import { randomBytes } from "node:crypto";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AuthStore, AuthStoreError } from "./auth_store.ts";
import type { StoreFault } from "./auth_store.ts";
import { KeyRing } from "../../../lib/core/key_ring.ts";

const business = "0190b2a0-0000-7000-8000-000000000001";
const other = "0190b2a0-0000-7000-8000-000000000002";
const key = () => randomBytes(32).toString("base64");
const k1 = key();
const ring = KeyRing.parse(`k1:${k1}`);

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "auth-store-"));
  path = join(folder, "a", "auth.db");
});
afterEach(() => rmSync(folder, { recursive: true }));

function filled(): void {
  const store = AuthStore.open(path, business, ring);
  store.write(Array.from({ length: 500 }, (_, i) => [`pre-key:${i}`, randomBytes(64)] as const));
  store.write([["creds", Buffer.from("the credentials")]]);
  store.close();
}

function faultOf(open: () => unknown): StoreFault | undefined {
  try {
    open();
  } catch (error) {
    if (error instanceof AuthStoreError) return error.fault;
    throw error;
  }
  return undefined;
}

describe("the auth store", () => {
  test("keeps writes and deletions across reopening", () => {
    filled();
    let store = AuthStore.open(path, business, ring);
    store.write([
      ["pre-key:7", null],
      ["creds", Buffer.from("newer")],
    ]);
    store.close();
    store = AuthStore.open(path, business, ring);
    expect(store.read("creds")?.toString()).toBe("newer");
    expect(store.read("pre-key:7")).toBeUndefined();
    expect(store.read("pre-key:8")).toHaveLength(64);
    store.close();
  });

  test("has synced values in the file itself", () => {
    const store = AuthStore.open(path, business, ring);
    store.write([["creds", Buffer.from("just paired")]]);
    store.sync();
    const copy = join(folder, "copy.db");
    copyFileSync(path, copy);
    store.close();
    const alone = AuthStore.open(copy, business, ring);
    expect(alone.read("creds")?.toString()).toBe("just paired");
    alone.close();
  });

  test("rolls back a write that fails half way", () => {
    const store = AuthStore.open(path, business, ring);
    function* halfWay(): Generator<readonly [string, Uint8Array]> {
      yield ["session:a", Buffer.from("1")];
      throw new Error("interrupted");
    }
    expect(() => store.write(halfWay())).toThrow("interrupted");
    expect(store.read("session:a")).toBeUndefined();
    store.close();
  });

  test("leaves nothing readable on the disk", () => {
    filled();
    for (const file of readdirSync(join(folder, "a"))) {
      expect(readFileSync(join(folder, "a", file), "latin1")).not.toContain("the credentials");
    }
  });

  test("distinguishes its faults and leaves the file untouched", () => {
    filled();
    const pristine = readFileSync(path);

    expect(faultOf(() => AuthStore.open(path, business, KeyRing.parse(`k1:${key()}`)))).toBe("wrong_key");
    expect(faultOf(() => AuthStore.open(path, business, KeyRing.parse(`k2:${key()}`)))).toBe("wrong_key");
    expect(faultOf(() => AuthStore.open(path, other, ring))).toBe("foreign");
    expect(readFileSync(path)).toEqual(pristine);

    const foreign = join(folder, "foreign.db");
    const db = new Database(foreign);
    db.run("CREATE TABLE t (x)");
    db.close();
    expect(faultOf(() => AuthStore.open(foreign, business, ring))).toBe("foreign");

    const text = join(folder, "text.db");
    writeFileSync(text, "not a database at all ".repeat(1000));
    expect(faultOf(() => AuthStore.open(text, business, ring))).toBe("damaged");
    expect(readFileSync(text, "utf8")).toStartWith("not a database");

    for (const size of [0, 100, 5000, Math.floor(pristine.length / 2)]) {
      const cut = join(folder, `cut-${size}.db`);
      copyFileSync(path, cut);
      truncateSync(cut, size);
      expect(faultOf(() => AuthStore.open(cut, business, ring))).toBe("damaged");
      expect(readFileSync(cut)).toEqual(pristine.subarray(0, size));
    }
  });

  test("does not report a volume's failure as damage", () => {
    expect(() => AuthStore.open(folder, business, ring)).toThrow(SQLiteError);
  });

  test("is resealed when opened under a new first key", () => {
    filled();
    const rotated = KeyRing.parse(`k2:${key()},k1:${k1}`);
    AuthStore.open(path, business, rotated).close();
    const db = new Database(path);
    const ids = db.query<{ key_id: string }, []>("SELECT DISTINCT key_id FROM entries").all();
    expect(ids.map(({ key_id }) => key_id.split("/")[0])).toEqual(["k2"]);
    db.close();
  });

  test("rejects a value moved to another name", () => {
    filled();
    const db = new Database(path);
    db.run("UPDATE entries SET box = (SELECT box FROM entries WHERE name = 'pre-key:1') WHERE name = 'creds'");
    db.close();
    const store = AuthStore.open(path, business, ring);
    expect(faultOf(() => store.read("creds"))).toBe("wrong_key");
    store.close();
  });

  test("seals under a subkey of each opening", () => {
    filled();
    const idsOf = () => {
      const db = new Database(path);
      const rows = db.query<{ name: string; key_id: string }, []>("SELECT name, key_id FROM entries").all();
      db.close();
      return new Map(rows.map(({ name, key_id }) => [name, key_id]));
    };
    const before = idsOf();
    const store = AuthStore.open(path, business, ring);
    store.write([["new", Buffer.from("x")]]);
    store.close();
    const after = idsOf();
    expect(new Set(before.values())).not.toContain(after.get("new")!);
    after.delete("new");
    expect(after).toEqual(before);
  });
});
