import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { indexes } from "../indexes.ts";
import journal from "./meta/_journal.json" with { type: "json" };

test("the journal lists every migration file, in order of number and time", () => {
  const files = readdirSync(import.meta.dir).filter((name) => name.endsWith(".sql"));
  expect(journal.entries.map((entry) => `${entry.tag}.sql`)).toEqual(files.toSorted());
  const times = journal.entries.map((entry) => entry.when);
  expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b));
  for (const [n, entry] of journal.entries.entries()) {
    expect(entry.idx).toBe(n);
    expect(entry.tag).toStartWith(String(n).padStart(4, "0"));
  }
});

test("no migration builds an index, they are the indexer's; but for a rule that a new table keeps by one", async () => {
  for (const { tag } of journal.entries) {
    const text = await Bun.file(`${import.meta.dir}/${tag}.sql`).text();
    expect(text).not.toMatch(/create\s+index/i);
    for (const [, table] of text.matchAll(/create\s+unique\s+index\s+\w+\s+on\s+(\w+)/gi))
      expect(text).toContain(`create table ${table} (`);
  }
});

test("an index has a name of its own that begins with its table's", () => {
  expect(new Set(indexes.map((index) => index.name)).size).toBe(indexes.length);
  for (const { name, table } of indexes) {
    expect(name).toStartWith(`${table}_`);
    // With a partition's "_2026_03" in it, it must still fit Postgres's 63 bytes.
    expect(name.length).toBeLessThanOrEqual(63 - "_2026_03".length);
  }
});
