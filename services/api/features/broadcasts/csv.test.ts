import { describe, expect, test } from "bun:test";
import { cpuMs } from "../../../../lib/testing/cpu_time.ts";
import { CsvFault, CsvReader } from "./csv.ts";
import type { CsvBounds, CsvRow } from "./csv.ts";

const bounds: CsvBounds = { rows: 200_000, columns: 100, fieldLength: 1_000 };

/** Parses a text in pieces of this many characters. */
function readCsv(text: string, piece = text.length, changes: Partial<CsvBounds> = {}): CsvRow[] {
  const reader = new CsvReader({ ...bounds, ...changes });
  const rows: CsvRow[] = [];
  for (let at = 0; at < text.length; at += piece) rows.push(...reader.read(text.slice(at, at + piece)));
  rows.push(...reader.end());
  return rows;
}

const cells = (text: string) => readCsv(text).map((row) => row.cells);

describe("a table", () => {
  test("accepts common separators and line endings", () => {
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

  test("keeps separators, quotes and line breaks in quotes", () => {
    expect(cells('to,text\n551,"a, ""b""\nc"\n552,""\n553,""""\n')).toEqual([
      ["to", "text"],
      ["551", 'a, "b"\nc'],
      ["552", ""],
      ["553", '"'],
    ]);
  });

  test("reports row lines and skips empty lines", () => {
    const rows = readCsv('to\n"a\nb"\n\n  \nc');
    expect(rows).toEqual([
      { line: 1, cells: ["to"] },
      { line: 2, cells: ["a\nb"] },
      { line: 6, cells: ["c"] },
    ]);
  });

  test("keeps empty fields and trims unquoted ones", () => {
    expect(cells("a,,c\n ,b ,")).toEqual([
      ["a", "", "c"],
      ["", "b", ""],
    ]);
  });

  test("appends text after a closing quote", () => {
    expect(cells('"a"b ,c\n"d" ,e')).toEqual([
      ["ab", "c"],
      ["d", "e"],
    ]);
  });

  test("reports an unclosed quote with its line", () => {
    const read = () => cells('to\n551\n"552');
    expect(read).toThrow(CsvFault);
    try {
      read();
    } catch (error) {
      expect((error as CsvFault).line).toBe(3);
    }
  });

  test("parses 100,000 rows in under a second", () => {
    const text = `to,name\n${Array.from({ length: 100_000 }, (_, n) => `1555${n},"Name, ${n}"`).join("\n")}`;
    expect(cpuMs(() => expect(readCsv(text)).toHaveLength(100_001))).toBeLessThan(1_000);
  });
});

describe("CsvReader", () => {
  const texts = [
    'to,text\r\n551,"a, ""b""\r\nc"\r\n552,""\r\n',
    'a;b;"c;d"\n1;2;"3\n4"\n',
    "sep=;\r\nto;a,b\r\n1;2,3",
    '"sep=\t"\nto\ta\n1\t2',
    "a\rb\r\rc",
    '"a""",b"c,"d"e f ,\n',
    "a,\n,\n,,",
    '\n\n"x"\n',
    "",
    "\r\n",
  ];

  test("reads pieces of any size alike", () => {
    for (const text of texts) {
      const whole = readCsv(text);
      for (const piece of [1, 2, 3, 5]) expect(readCsv(text, piece), JSON.stringify(text)).toEqual(whole);
    }
  });

  test("obeys Excel's sep= line", () => {
    for (const text of ["sep=;\r\nto;a,b\r\n1;2,3", "SEP=;\nto;a,b\n1;2,3", '"sep=;"\nto;a,b\n1;2,3']) {
      const rows = readCsv(text);
      expect(rows.map((row) => row.cells)).toEqual([
        ["to", "a,b"],
        ["1", "2,3"],
      ]);
      expect(rows.map(({ line }) => line)).toEqual([2, 3]);
    }
  });

  test("does not count separators within quotes", () => {
    expect(cells('"a,b,c";to\n1;2')).toEqual([
      ["a,b,c", "to"],
      ["1", "2"],
    ]);
  });

  test("counts each line ending as one line", () => {
    for (const ending of ["\n", "\r\n", "\r"]) {
      const rows = readCsv(['a,"b', 'c"', "", "d", "e"].join(ending));
      expect(
        rows.map(({ line }) => line),
        JSON.stringify(ending),
      ).toEqual([1, 4, 5]);
    }
  });

  test("reports the line on which a quote starts", () => {
    expect(() => readCsv('a\nb,"c\nd')).toThrow(CsvFault);
    expect(() => readCsv('a\n"b\n","c\nd')).toThrow("a quoted field starts here and does not end");
  });

  test("bounds rows, columns and fields", () => {
    expect(() => readCsv("a\nb\nc\n", 2, { rows: 2 })).toThrow("more than 2 rows");
    expect(() => readCsv("a,b,c\n", 2, { columns: 2 })).toThrow("more than 2 fields");
    expect(() => readCsv("a,bcd\n", 2, { fieldLength: 2 })).toThrow("field 2 has more than 2 characters");
    expect(() => readCsv('a,"b""d"\n', 2, { fieldLength: 2 })).toThrow("field 2 has more than 2 characters");
    expect(() => readCsv(`${"x".repeat(300_000)}\n`, 65_536, { fieldLength: 1_000_000 })).toThrow(
      "first line has more than",
    );
  });

  test("keeps only the requested columns", () => {
    const reader = new CsvReader({ ...bounds, fieldLength: 3 });
    const head = [...reader.read("to,a,b\n")];
    expect(head[0]!.cells).toEqual(["to", "a", "b"]);
    reader.keepOnly([2]);
    expect([...reader.read('1,not kept,x\n2,"nor ""this""",y\n')].map((row) => row.cells)).toEqual([
      ["1", "", "x"],
      ["2", "", "y"],
    ]);
  });

  test("takes time linear in hostile input", () => {
    const units = [",", '"', '""', "\n", "a,\n", '",\n', "\r", 'x"'];
    const all = (size: number) => units.reduce((sum, unit) => sum + cpuMs(() => readHostile(unit, size)), 0);
    all(64 * 1024);
    // Four times the input takes about four times as long; a quadratic parser would take sixteen times.
    expect(all(1024 * 1024)).toBeLessThan(10 * all(256 * 1024) + 50);
  });
});

function readHostile(unit: string, size: number): void {
  const reader = new CsvReader({ ...bounds, rows: Number.MAX_SAFE_INTEGER });
  const piece = unit.repeat(65_536 / unit.length);
  try {
    for (const _ of reader.read("a\n"));
    reader.keepOnly([]);
    for (let read = 0; read < size; read += piece.length) for (const _ of reader.read(piece));
  } catch (error) {
    expect(error).toBeInstanceOf(CsvFault);
  }
}
