import { describe, expect, test } from "bun:test";
import { cpuMs } from "../../../lib/testing/cpu_time.ts";
import { faultsOfJson, faultsOfTarget } from "./text_rule.ts";

const json = (text: string) => faultsOfJson(Buffer.from(text));
const fieldsOf = (faults: { field: string }[]) => faults.map(({ field }) => field);

describe("faultsOfJson", () => {
  test("names values and names", () => {
    expect(fieldsOf(json(String.raw`{"a":{"b":["x","\u0000"]}}`))).toEqual(["a.b.1"]);
    expect(fieldsOf(json(String.raw`{"a":"\ud800"}`))).toEqual(["a"]);
    expect(fieldsOf(json(String.raw`{"a":{"b\u0000c":1}}`))).toEqual(["a.b\ufffdc"]);
    expect(fieldsOf(json(String.raw`"\udc00"`))).toEqual(["body"]);
  });

  test("accepts escapes of well-formed text", () => {
    for (const text of [String.raw`{"a":"\ud83d\ude00 \u05e9"}`, String.raw`{"a":"\\u0000"}`, '{"a":"😀"}', "[]", ""]) {
      expect(json(text), text).toEqual([]);
    }
  });

  test("refuses bytes that are not UTF-8", () => {
    for (const bytes of [[0x22, 0xff, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22], [0xc3]]) {
      expect(faultsOfJson(Buffer.from(bytes))).toEqual([{ field: "body", message: "must be UTF-8" }]);
    }
  });

  test("leaves broken JSON to its parser", () => {
    for (const text of [String.raw`{"a":"\u0000"`, String.raw`\u0000`, `${"[".repeat(100_000)}"\\u0000"`])
      expect(json(text)).toEqual([]);
  });

  test("bounds its work and its answer", () => {
    const deep = `${'{"a":'.repeat(2_000)}"\\u0000"${"}".repeat(2_000)}`;
    const wide = `[${'"\\ud800",'.repeat(50_000)}1]`;
    const spent = cpuMs(() => {
      for (const text of [deep, wide]) expect(JSON.stringify(json(text)).length).toBeLessThan(10_000);
      expect(json(deep)).toHaveLength(1);
    });
    expect(spent).toBeLessThan(1_000);
  });
});

describe("faultsOfTarget", () => {
  test("names the path and parameters", () => {
    expect(fieldsOf(faultsOfTarget("http://h/v1/a%00b"))).toEqual(["path"]);
    expect(fieldsOf(faultsOfTarget("http://h/v1/a?name=%00&of=%ff&limit=1"))).toEqual(["name", "of"]);
    expect(fieldsOf(faultsOfTarget("http://h/v1/a?x=%ED%A0%80&%00=1"))).toEqual(["x", "query"]);
    expect(fieldsOf(faultsOfTarget("http://h/v1/a%?x=%zz"))).toEqual(["path", "x"]);
  });

  test("accepts well-formed text", () => {
    for (const target of ["http://h/v1/a", "http://h/v1/%D7%A9?name=a+b%20c%F0%9F%98%80&x", "http://h/?a=b=c%3D"]) {
      expect(faultsOfTarget(target), target).toEqual([]);
    }
  });
});
