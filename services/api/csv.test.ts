import { expect, test } from "bun:test";
import { CsvFault, readCsv } from "./csv.ts";

const cells = (text: string) => [...readCsv(text)].map((row) => row.cells);

test("commas, semicolons and tabs separate; line endings and a byte order mark do not matter", () => {
  for (const separator of [",", ";", "\t"]) {
    for (const ending of ["\n", "\r\n"]) {
      const text = `\uFEFFto${separator}name${ending}551${separator}Ada${ending}`;
      expect(cells(text)).toEqual([
        ["to", "name"],
        ["551", "Ada"],
      ]);
    }
  }
});

test("quoted fields keep separators, quotes and line breaks", () => {
  expect(cells('to,text\n551,"a, ""b""\nc"\n552,""\n553,""""\n')).toEqual([
    ["to", "text"],
    ["551", 'a, "b"\nc'],
    ["552", ""],
    ["553", '"'],
  ]);
});

test("rows know the line they begin on, and empty lines are left out", () => {
  const rows = [...readCsv('to\n"a\nb"\n\n  \nc')];
  expect(rows).toEqual([
    { line: 1, cells: ["to"] },
    { line: 2, cells: ["a\nb"] },
    { line: 6, cells: ["c"] },
  ]);
});

test("empty fields are fields, and spaces around unquoted ones are not theirs", () => {
  expect(cells("a,,c\n ,b ,")).toEqual([
    ["a", "", "c"],
    ["", "b", ""],
  ]);
});

test("what follows a closing quote belongs to its field", () => {
  expect(cells('"a"b ,c\n"d" ,e')).toEqual([
    ["ab", "c"],
    ["d", "e"],
  ]);
});

test("a quote that nobody closes is said, with its line", () => {
  const read = () => cells('to\n551\n"552');
  expect(read).toThrow(CsvFault);
  try {
    read();
  } catch (error) {
    expect((error as CsvFault).line).toBe(3);
  }
});

test("a hundred thousand rows take well under a second", () => {
  const text = `to,name\n${Array.from({ length: 100_000 }, (_, n) => `1555${n},"Name, ${n}"`).join("\n")}`;
  const start = performance.now();
  expect([...readCsv(text)]).toHaveLength(100_001);
  expect(performance.now() - start).toBeLessThan(2_000);
});
