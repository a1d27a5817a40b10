import { describe, expect, test } from "bun:test";
import { literal, sql, textOf } from "./literal.ts";

describe("sql", () => {
  test("escapes quotes and backslashes", () => {
    expect(literal("it's")).toBe("'it''s'");
    expect(literal("\\' or 1=1 --")).toBe(" E'\\\\'' or 1=1 --'");
    expect(literal(['a"b', "c\\d", "e,f}"])).toBe(` E'{"a\\\\"b","c\\\\\\\\d","e,f}"}'`);
  });

  test("quotes every kind of value", () => {
    expect(textOf(sql`select ${1}, ${-1.5}, ${true}, ${null}, ${10n}, ${new Date(0)}`)).toBe(
      "select '1', '-1.5', 'true', null, '10', '1970-01-01T00:00:00.000Z'",
    );
  });

  test("inserts statements unchanged and values as literals", () => {
    const filter = sql`and chat = ${"1'; drop table messages; --"}`;
    expect(textOf(sql`select 1 where true ${filter} limit ${5}`)).toBe(
      "select 1 where true and chat = '1''; drop table messages; --' limit '5'",
    );
  });

  test("refuses invalid values and U+0000", () => {
    for (const wrong of [undefined, {}, Symbol("x"), { text: "select 1" }, "a\u0000b", ["a\u0000"]]) {
      expect(() => literal(wrong as never)).toThrow(TypeError);
    }
  });
});
