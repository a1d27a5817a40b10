import { describe, expect, test } from "bun:test";
import { fieldsOf } from "./entry.ts";
import type { Entry } from "./entry.ts";
import { parseAge, parseLevel, passes } from "./filter.ts";
import type { Filter } from "./filter.ts";
import { describeEntry, jsonOf } from "./format.ts";

const at = Date.UTC(2026, 10, 30, 15, 42, 7, 120);
const entry = (text: string, stream: "stdout" | "stderr" = "stdout"): Entry => ({
  source: { name: "api.api[0]", allocation: "a1", task: "api", stream },
  at,
  fields: fieldsOf(text),
  text,
});
const request = entry('{"level":"warn","time":"x","service":"api","msg":"request","request_id":"r1","path":"/v1/b1"}');
const plain = entry("checkpoint of b1", "stderr");
const all: Filter = { since: at, texts: [] };

describe("passes", () => {
  test("takes lines since then", () => {
    expect([passes(all, request), passes({ ...all, since: at + 1 }, request)]).toEqual([true, false]);
    expect(passes({ ...all, since: at + 1 }, { ...plain, at: Number.NEGATIVE_INFINITY })).toBeTrue();
  });

  test("searches ids in the whole line", () => {
    const of = (...texts: string[]) => [passes({ ...all, texts }, request), passes({ ...all, texts }, plain)];
    expect([of("r1"), of("b1"), of("r1", "b1"), of("r2")]).toEqual([
      [true, false],
      [true, true],
      [true, false],
      [false, false],
    ]);
  });

  test("compares levels", () => {
    const of = (level: string, line: Entry) => passes({ ...all, level: parseLevel(level) }, line);
    expect([of("info", request), of("warn", request), of("error", request)]).toEqual([true, true, false]);
    expect([of("error", plain), of("error", entry("listening"))]).toEqual([true, false]);
    for (const [text, warns] of [
      ["2026-11-30 17:10:36.230 UTC [1] LOG:  starting PostgreSQL", false],
      ["2026-11-30 17:10:36.230 UTC [1] FATAL:  the database system is starting up", true],
      ["2026/11/30 15:42:07 [notice] 8#8: signal 1", false],
      ["2026/11/30 15:42:07 [warn] 8#8: low", true],
    ] as const)
      expect([text, of("warn", entry(text, "stderr"))]).toEqual([text, warns]);
    expect(() => parseLevel("loud")).toThrow("trace, debug, info, warn, error");
  });
});

describe("parseAge", () => {
  test.each([
    ["30s", 30_000],
    ["10m", 600_000],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
  ])("reads %s", (text, ms) => expect(parseAge(text)).toBe(ms));

  test.each(["", "10", "m", "1w", "-1m"])("refuses %j", (text) => {
    expect(() => parseAge(text)).toThrow("30s, 10m, 2h or 1d");
  });
});

describe("an entry", () => {
  test("is printed on one line", () => {
    expect(describeEntry(request)).toBe(
      '2026-11-30T15:42:07.120Z api.api[0] warn  request {"request_id":"r1","path":"/v1/b1"}',
    );
    expect(describeEntry(plain)).toBe("2026-11-30T15:42:07.120Z api.api[0] | checkpoint of b1");
    expect(describeEntry({ ...plain, at: Number.NEGATIVE_INFINITY })).toStartWith("- api.api[0]");
  });

  test("is printed as JSON with its source", () => {
    expect(JSON.parse(jsonOf(plain))).toEqual({
      name: "api.api[0]",
      allocation: "a1",
      stream: "stderr",
      time: "2026-11-30T15:42:07.120Z",
      text: "checkpoint of b1",
    });
    expect(JSON.parse(jsonOf(request))).toMatchObject({ fields: { request_id: "r1" } });
  });
});
