import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { indexes } from "../indexes.ts";
import { claimFunctions } from "../outbox/claim_function.ts";
import { functions } from "./functions.ts";
import journal from "./meta/_journal.json" with { type: "json" };
import checksums from "./meta/checksums.json" with { type: "json" };

describe("migrations", () => {
  test("are listed in order of number and time", () => {
    const files = readdirSync(import.meta.dir).filter((name) => name.endsWith(".sql"));
    expect(journal.entries.map((entry) => `${entry.tag}.sql`)).toEqual(files.toSorted());
    const times = journal.entries.map((entry) => entry.when);
    expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b));
    for (const [n, entry] of journal.entries.entries()) {
      expect(entry.idx).toBe(n);
      expect(entry.tag).toStartWith(String(n).padStart(4, "0"));
    }
  });

  // Databases that applied a migration refuse its edited text. A new migration adds its line to meta/checksums.json.
  test("are never edited", async () => {
    const sha256 = async (tag: string) =>
      new Bun.CryptoHasher("sha256").update(await Bun.file(`${import.meta.dir}/${tag}.sql`).bytes()).digest("hex");
    const found = await Promise.all(journal.entries.map(async ({ tag }) => [tag, await sha256(tag)]));
    expect(Object.fromEntries(found)).toEqual(checksums);
  });

  // Indexes are built by the indexer, except a unique one that a new table needs as a rule.
  test("build no index on an existing table", async () => {
    for (const { tag } of journal.entries) {
      const text = await Bun.file(`${import.meta.dir}/${tag}.sql`).text();
      expect(text).not.toMatch(/create\s+index/i);
      for (const [, table] of text.matchAll(/create\s+unique\s+index\s+\w+\s+on\s+(\w+)/gi))
        expect(text).toContain(`create table ${table} (`);
    }
  });
});

describe("function files", () => {
  const root = new URL("..", import.meta.url).pathname;
  const files = [...new Bun.Glob("*/*.sql").scanSync({ cwd: root })].filter((path) => !path.startsWith("migrations/"));

  test("are all applied by migrate", () => {
    const texts = files.map((path) => readFileSync(`${root}/${path}`, "utf8"));
    expect([...texts, ...claimFunctions].toSorted()).toEqual(functions.toSorted());
  });

  test("are named after the one function that they replace", () => {
    for (const path of files) {
      const text = readFileSync(`${root}/${path}`, "utf8");
      const created = [...text.matchAll(/^create (or replace )?function (\w+)/gim)];
      expect(created.map(([, replaces, name]) => [replaces, name])).toEqual([
        ["or replace ", path.replace(/^.*\/(\w+)\.sql$/, "$1")],
      ]);
    }
  });
});

test("an index name is unique and starts with its table", () => {
  expect(new Set(indexes.map((index) => index.name)).size).toBe(indexes.length);
  for (const { name, table } of indexes) {
    expect(name).toStartWith(`${table}_`);
    // With a partition's "_2026_03" in it, it must still fit Postgres's 63 bytes.
    expect(name.length).toBeLessThanOrEqual(63 - "_2026_03".length);
  }
});
