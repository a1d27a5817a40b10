/** A row of a table, and the line of the text that it begins on, from 1. */
export type CsvRow = { line: number; cells: string[] };

/** A quote that nobody closes. */
export class CsvFault extends Error {
  readonly line: number;
  constructor(line: number) {
    super("a quoted field that begins here does not end");
    this.line = line;
  }
}

/**
 * Reads RFC 4180 as spreadsheets write it: separated by comma, semicolon or tab (whichever the first line has most of),
 * any line ending, quotes doubled within quotes, with or without a byte order mark. Empty lines are left out.
 */
export function* readCsv(text: string): Generator<CsvRow, undefined> {
  const source = text.startsWith("\uFEFF") ? text.slice(1) : text;
  const separator = separatorOf(source);
  let at = 0;
  let line = 1;
  while (at < source.length) {
    const row: CsvRow = { line, cells: [] };
    for (;;) {
      const cell = source[at] === '"' ? quoted(source, at, separator, row.line) : plain(source, at, separator);
      row.cells.push(cell.text);
      line += cell.breaks;
      at = cell.end;
      if (source[at] !== separator) break;
      at += 1;
    }
    if (source[at] === "\r") at += 1;
    if (source[at] === "\n") at += 1;
    line += 1;
    if (row.cells.length > 1 || row.cells[0]!.trim() !== "") yield row;
  }
  return undefined;
}

type Cell = { text: string; end: number; breaks: number };

function plain(source: string, start: number, separator: string): Cell {
  let end = start;
  while (end < source.length && source[end] !== separator && source[end] !== "\n" && source[end] !== "\r") end += 1;
  return { text: source.slice(start, end).trim(), end, breaks: 0 };
}

function quoted(source: string, start: number, separator: string, line: number): Cell {
  let close = start;
  do {
    close = source.indexOf('"', close + 1);
    if (close === -1) throw new CsvFault(line);
    // A doubled quote is one quote, and not the end.
  } while (source[close + 1] === '"' && ++close > 0);
  const text = source.slice(start + 1, close).replaceAll('""', '"');
  // Nothing should follow the closing quote; what does belongs to the field all the same.
  const rest = plain(source, close + 1, separator);
  return { text: text + rest.text, end: rest.end, breaks: text.split("\n").length - 1 };
}

function separatorOf(source: string): string {
  const newline = source.search(/[\r\n]/);
  const head = newline === -1 ? source : source.slice(0, newline);
  const count = (separator: string) => head.split(separator).length;
  return [",", ";", "\t"].reduce((most, separator) => (count(separator) > count(most) ? separator : most));
}
