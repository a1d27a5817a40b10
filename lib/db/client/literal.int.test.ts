import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createMigratedDatabase } from "../../testing/database.ts";
import type { MigratedDatabase } from "../../testing/database.ts";
import { forPlatform } from "../index.ts";
import { literal, sql } from "./literal.ts";

let database: MigratedDatabase;
beforeAll(async () => {
  database = await createMigratedDatabase();
});
afterAll(() => database.close());

const hostile = [
  "'",
  "\\",
  '"',
  "''",
  "\\'",
  "$1",
  "$$",
  "--",
  "/*",
  "*/",
  ";",
  "{",
  "}",
  ",",
  "\n",
  "\r",
  "%",
  "E'",
  "\u00A0",
  "ß",
  "😀",
  "null",
  "NULL",
  "",
];

/** Strings made of what has a meaning in SQL; the seed makes them the same in every run. */
function* strings(count: number): Generator<string> {
  let state = 42;
  const next = (below: number) => (state = (state * 1_664_525 + 1_013_904_223) >>> 0) % below;
  for (let n = 0; n < count; n++) yield Array.from({ length: next(12) }, () => hostile[next(hostile.length)]).join("");
}

describe("literals in Postgres", () => {
  test("preserve any text under either standard_conforming_strings", async () => {
    const texts = [...strings(400)];
    for (const setting of ["on", "off"]) {
      await forPlatform(database.db).run(async (transaction) => {
        await transaction.unsafe(
          `set local standard_conforming_strings = ${setting}; set local escape_string_warning = off`,
        );
        for (const text of texts) {
          const [row] = await transaction.unsafe<[{ text: string; list: string[] }]>(
            `select ${literal(text)}::text as text, ${literal([text, "x", text])}::text[] as list`,
          );
          expect(row).toEqual({ text, list: [text, "x", text] });
        }
      });
    }
  });

  test("keep the types of numbers, times and null", async () => {
    const at = new Date("2026-03-01T12:00:00.123Z");
    const [row] = await forPlatform(database.db).ask(
      sql`select ${7}::integer as n, ${at}::timestamptz as at, ${null}::text as none, ${true}::boolean as yes`,
    );
    expect(row).toEqual({ n: 7, at, none: null, yes: true });
  });
});
