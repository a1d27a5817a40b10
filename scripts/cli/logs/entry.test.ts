import { describe, expect, test } from "bun:test";
import { entriesOf, fieldsOf, timeOf } from "./entry.ts";
import type { Source } from "./entry.ts";
import { linesOf } from "./lines.ts";

async function* listed<T>(items: readonly T[]): AsyncGenerator<T> {
  for (const item of items) yield await Promise.resolve(item);
}
const source: Source = { name: "api.api[0]", allocation: "a1", task: "api", stream: "stdout" };
const at = Date.UTC(2026, 10, 30, 15, 42, 7, 120);

describe("linesOf", () => {
  const lines = (chunks: string[], max?: number) =>
    Array.fromAsync(linesOf(listed(chunks.map((text) => Buffer.from(text, "latin1"))), max));

  test("joins what chunks divide", async () => {
    const bytes = Buffer.from("é1\nsecond").toString("latin1");
    expect(await lines([bytes.slice(0, 1), bytes.slice(1), " line\n\n", "last"])).toEqual([
      "é1",
      "second line",
      "last",
    ]);
  });

  test("cuts long lines and needs no memory for them", async () => {
    expect(await lines(["12", "345678", "9", "0\nnext", "\n"], 5)).toEqual(["12345…", "next"]);
    expect(await lines(["1234567\nnext"], 5)).toEqual(["12345…", "next"]);
  });
});

describe("timeOf", () => {
  test.each([
    '{"level":"info","time":"2026-11-30T15:42:07.120Z","msg":"request"}',
    `{"level":"info","time":${at}}`,
    "2026-11-30 15:42:07.120 UTC [12] LOG:  checkpoint starting: time",
    "2026-11-30T15:42:07.120Z [INFO] (runner) rendered nginx.conf",
    "12:M 30 Nov 2026 15:42:07.120 * Background saving terminated",
  ])("reads %s", (line) => expect(timeOf(line, fieldsOf(line))).toBe(at));

  test("reads the time of nginx", () => {
    expect(timeOf("2026/11/30 15:42:07 [warn] 8#8: low", null)).toBe(at - 120);
  });

  test.each(["    at run (main.ts:1:2)", "{broken", '{"time":"soon"}', "12:M 99 Foo 2026 15:42:07.120"])(
    "knows none of %s",
    (line) => expect(timeOf(line, fieldsOf(line))).toBeNull(),
  );
});

describe("entriesOf", () => {
  const lines = [
    "part of a line",
    '{"time":"2026-11-30T15:42:07.120Z","msg":"a"}',
    "  at stack",
    '{"time":1,"msg":"b"}',
  ];

  test("keeps the order of lines without a time", async () => {
    const entries = await Array.fromAsync(entriesOf(source, listed(lines)));
    expect(entries.map(({ text, at: time }) => [text, time])).toEqual([
      [lines[0]!, Number.NEGATIVE_INFINITY],
      [lines[1]!, at],
      [lines[2]!, at],
      [lines[3]!, at],
    ]);
    expect(entries[1]?.fields).toEqual({ time: "2026-11-30T15:42:07.120Z", msg: "a" });
  });

  test("leaves out the part of a line", async () => {
    const entries = await Array.fromAsync(entriesOf(source, listed(lines), { isCut: true }));
    expect(entries.map(({ text }) => text)).toEqual(lines.slice(1));
  });
});
