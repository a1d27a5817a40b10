/* Our own instead of csv-parse, because it bounds fields, columns and rows before it keeps them. */

/** A row of a table, and the line on which it starts, from 1. */
export type CsvRow = { line: number; cells: string[] };

export type CsvBounds = {
  /** Maximum rows, including the header. Empty lines do not count. */
  rows: number;
  /** Maximum fields of a row. */
  columns: number;
  /** Maximum characters of a kept field. */
  fieldLength: number;
};

/** A table that cannot be parsed, and the line of the fault. */
export class CsvFault extends Error {
  readonly line: number;
  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

/** Maximum length of the first line, which is buffered because it decides the separator. */
const maxFirstLine = 262_144;

const cr = 13;
const lf = 10;
const quote = 34;

/**
 * State of the parser: before a field, in an unquoted field, in a quoted field, after a quote that ends the field
 * unless another quote follows, or in the text after the closing quote.
 *
 * ```
 * start ──▶ plain ──────────────────────▶ start (separator, end of line)
 *   └─(")─▶ quoted ──(")──▶ quote ──▶ rest ─▲
 *              ▲──────(")─────┘
 * ```
 */
type State = "start" | "plain" | "quoted" | "quote" | "rest";

/**
 * Parses RFC 4180 as spreadsheets write it, in pieces of any size. The separator is comma, semicolon or tab, whichever
 * is most frequent in the first line, or the one of Excel's `sep=` line. Accepts any line ending, and doubled quotes
 * within quotes. Skips empty lines. Buffers one row at a time, and only its kept columns.
 */
export class CsvReader {
  readonly #bounds: CsvBounds;
  #first: string | undefined = "";
  #separator = 0;
  #kept: ReadonlySet<number> | undefined;
  #state: State = "start";
  #afterCr = false;
  #line = 1;
  #rows = 0;
  #rowLine = 1;
  #quoteLine = 1;
  #cells: string[] = [];
  #text = "";
  #quoted = "";

  constructor(bounds: CsvBounds) {
    this.#bounds = bounds;
  }

  /** Parses other columns as "" from now on. Always keeps the first column, which distinguishes an empty line. */
  keepOnly(columns: Iterable<number>): void {
    this.#kept = new Set([0, ...columns]);
  }

  /** Yields the rows that `text` completes. Must be exhausted before the next call. */
  *read(text: string): Generator<CsvRow, undefined> {
    if (this.#first === undefined) return yield* this.#scan(text);
    this.#first += text;
    const end = endOfFirstLine(this.#first);
    if ((end === -1 ? this.#first.length : end) > maxFirstLine) {
      throw new CsvFault(1, `the first line has more than ${maxFirstLine} characters`);
    }
    return end === -1 ? undefined : yield* this.#begin(end);
  }

  /** Yields the last row if the text does not end with a line ending. */
  *end(): Generator<CsvRow, undefined> {
    if (this.#first !== undefined) yield* this.#begin(endOfFirstLine(this.#first));
    if (this.#state === "quoted") throw new CsvFault(this.#quoteLine, "a quoted field starts here and does not end");
    if (this.#state === "quote") this.#endQuoted();
    if (this.#state === "start" && this.#cells.length === 0) return undefined;
    this.#endCell();
    const row = this.#endRow();
    if (row) yield row;
    return undefined;
  }

  *#begin(endOfLine: number): Generator<CsvRow, undefined> {
    const text = this.#first!;
    this.#first = undefined;
    const line = endOfLine === -1 ? text : text.slice(0, endOfLine);
    const declared = /^"?sep=([^"])"?$/i.exec(line)?.[1];
    this.#separator = (declared ?? separatorOf(line)).charCodeAt(0);
    // Excel's `sep=` line is not a row, but its line ending counts as a line.
    return yield* this.#scan(declared === undefined ? text : text.slice(line.length));
  }

  *#scan(text: string): Generator<CsvRow, undefined> {
    for (let at = 0; at < text.length;) {
      const code = text.charCodeAt(at);
      if (this.#afterCr) {
        this.#afterCr = false;
        if (code === lf) {
          if (this.#state === "quoted") this.#append(text, at, at + 1);
          at += 1;
          continue;
        }
      }
      switch (this.#state) {
        case "start":
          this.#state = code === quote ? "quoted" : "plain";
          if (code === quote) {
            this.#quoteLine = this.#line;
            at += 1;
          }
          break;
        case "quoted":
          at = this.#readQuoted(text, at);
          break;
        case "quote":
          if (code === quote) {
            this.#append('"', 0, 1);
            this.#state = "quoted";
            at += 1;
          } else this.#endQuoted();
          break;
        case "plain":
        case "rest": {
          const end = this.#endOfPlain(text, at);
          this.#append(text, at, end);
          at = end;
          if (end === text.length) break;
          at += 1;
          this.#endCell();
          if (text.charCodeAt(end) === this.#separator) break;
          this.#afterCr = text.charCodeAt(end) === cr;
          this.#line += 1;
          const row = this.#endRow();
          if (row) yield row;
        }
      }
    }
    return undefined;
  }

  /** Reads up to and including the next quote or line break. */
  #readQuoted(text: string, start: number): number {
    let end = start;
    for (; end < text.length; end++) {
      const code = text.charCodeAt(end);
      if (code === quote) {
        this.#append(text, start, end);
        this.#state = "quote";
        return end + 1;
      }
      if (code === lf || code === cr) {
        this.#line += 1;
        this.#append(text, start, end + 1);
        this.#afterCr = code === cr;
        return end + 1;
      }
    }
    this.#append(text, start, end);
    return end;
  }

  #endOfPlain(text: string, start: number): number {
    let end = start;
    for (; end < text.length; end++) {
      const code = text.charCodeAt(end);
      if (code === this.#separator || code === lf || code === cr) break;
    }
    return end;
  }

  #append(text: string, start: number, end: number): void {
    if (this.#kept?.has(this.#cells.length) === false) return;
    if (this.#text.length + this.#quoted.length + end - start > this.#bounds.fieldLength) {
      throw new CsvFault(
        this.#rowLine,
        `field ${this.#cells.length + 1} has more than ${this.#bounds.fieldLength} characters`,
      );
    }
    this.#text += text.slice(start, end);
  }

  #endQuoted(): void {
    this.#quoted = this.#text;
    this.#text = "";
    this.#state = "rest";
  }

  /** Trims unquoted fields. Text after a closing quote belongs to the field. */
  #endCell(): void {
    if (this.#cells.length === this.#bounds.columns) {
      throw new CsvFault(this.#rowLine, `the line has more than ${this.#bounds.columns} fields`);
    }
    this.#cells.push(this.#quoted + this.#text.trim());
    this.#text = "";
    this.#quoted = "";
    this.#state = "start";
  }

  /** Undefined for an empty line. */
  #endRow(): CsvRow | undefined {
    const row = { line: this.#rowLine, cells: this.#cells };
    this.#cells = [];
    this.#rowLine = this.#line;
    if (row.cells.length === 1 && row.cells[0]!.trim() === "") return undefined;
    this.#rows += 1;
    if (this.#rows > this.#bounds.rows)
      throw new CsvFault(row.line, `the table has more than ${this.#bounds.rows} rows; split it`);
    return row;
  }
}

/** Index of the first line break outside quotes; -1 if there is none yet. */
function endOfFirstLine(text: string): number {
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) quoted = !quoted;
    else if (!quoted && (code === lf || code === cr)) return at;
  }
  return -1;
}

/** The separator that is most frequent in the line, outside quotes. */
function separatorOf(line: string): string {
  const counts = { ",": 0, ";": 0, "\t": 0 };
  let quoted = false;
  for (const character of line) {
    if (character === '"') quoted = !quoted;
    else if (!quoted && character in counts) counts[character as keyof typeof counts] += 1;
  }
  const separators = Object.keys(counts) as (keyof typeof counts)[];
  return separators.reduce((most, separator) => (counts[separator] > counts[most] ? separator : most));
}
