import { AppError } from "../../../../lib/core/errors.ts";
import { createTextReader, NotInCharset, UnknownCharset } from "../../../../lib/core/charset.ts";
import type { TextReader } from "../../../../lib/core/charset.ts";
import type { FieldFault } from "../../../../lib/core/errors.ts";
import { createLoopBudget } from "../../../../lib/core/loop_budget.ts";
import { parseTemplate } from "../../../../lib/broadcasts/template.ts";
import type { Template } from "../../../../lib/broadcasts/template.ts";
import { atomically, lockDraft } from "../../../../lib/db/index.ts";
import type { Broadcast, BusinessScope } from "../../../../lib/db/index.ts";
import type { OutboxQuota } from "../../../../lib/quotas/index.ts";
import { fieldFaults } from "../../../../lib/runtime/problem.ts";
import { CsvFault, CsvReader } from "./csv.ts";
import type { CsvBounds, CsvRow } from "./csv.ts";
import { chat } from "../chats/chat.ts";
import { notADraft, parseRow, withinQuota } from "./recipients.ts";
import type { Added, ParsedRow } from "./recipients.ts";
import { isFieldValue, recipient } from "./schemas.ts";

/** A spreadsheet's cell has up to 32,767 characters. */
const bounds: CsvBounds = { rows: 250_000, columns: 1_000, fieldLength: 32_768 };

/** Rows that are processed before the event loop may run. */
const batchSize = 100;

/** Bytes that are decoded and parsed at once: about a millisecond. */
const pieceBytes = 64 * 1024;

/** The largest table (16 MB) takes as long at 4.5 Mbit/s. The import has to end within the 55 s of the edge. */
const receiveMs = 30_000;

/** A received table. Its bytes are held in memory, because an import reads them twice. */
export type Table = { pieces: Uint8Array[]; charset: string | undefined };

/** Receives the table of a request. Throws "unsupported_media_type" if it is not CSV. */
export async function receiveTable(request: Request): Promise<Table> {
  const contentType = request.headers.get("content-type") ?? "";
  if (!/^text\/csv\s*(;|$)/i.test(contentType)) {
    const detail =
      "The body must be the CSV table, not a form: curl --data-binary @table.csv -H 'Content-Type: text/csv'.";
    throw new AppError("unsupported_media_type", detail, {
      faults: [{ field: "content-type", message: "must be text/csv, with a charset if the table is not UTF-8" }],
    });
  }
  return {
    pieces: await receive(request.body),
    charset: /;\s*charset\s*=\s*"?([^\s";]{1,40})/i.exec(contentType)?.[1],
  };
}

async function receive(body: ReadableStream<Uint8Array> | null): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  if (body === null) return pieces;
  const reader = body.getReader();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    void reader.cancel().catch(() => {});
  }, receiveMs);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (late) throw unreadable(`did not arrive within ${receiveMs / 1000} s`);
      if (done) return pieces;
      for (let at = 0; at < value.length; at += pieceBytes) pieces.push(value.subarray(at, at + pieceBytes));
    }
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Adds the recipients of a table to a draft, in one transaction. Parses the table twice: the first pass validates it,
 * so that an unreadable table opens no transaction. Invalid rows are skipped and reported. Throws "invalid_request" for
 * an unreadable table, "conflict" if the broadcast is not a draft, and "quota_exceeded" if the recipients do not fit.
 */
export async function importTable(
  quota: OutboxQuota,
  scope: BusinessScope,
  broadcast: Broadcast,
  table: Table,
): Promise<Added> {
  const template = parseTemplate(broadcast.text);
  for await (const _ of batchesOf(table, template.fields));
  return withinQuota(quota, scope, (add) =>
    atomically(scope, async (inside) => {
      // Serialises imports into one draft: two with different row orders would deadlock.
      if (!(await lockDraft(inside, broadcast.id))) throw notADraft(broadcast);
      return add(inside, broadcast, parsedRows(table, template));
    }),
  );
}

async function* parsedRows(table: Table, template: Template): AsyncGenerator<ParsedRow[], undefined> {
  for await (const { columns, rows } of batchesOf(table, template.fields)) {
    yield rows.map((row) => parseCsvRow(row, columns, template));
  }
  return undefined;
}

function parseCsvRow({ line, cells }: CsvRow, { to, fields: columns }: Columns, template: Template): ParsedRow {
  const fields: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, column] of columns) fields[name] = cells[column] ?? "";
  const parsed = parseRecipient(cells[to] ?? "", fields);
  return "chat" in parsed
    ? parseRow(line, { to: parsed.chat, fields }, template)
    : { line, message: describeFaults(parsed.faults) };
}

/** Validates like the schema. Valid rows, which are almost all, skip the schema's slower parsing of each field. */
function parseRecipient(to: string, fields: Record<string, string>): { chat: string } | { faults: FieldFault[] } {
  const parsed = chat.safeParse(to);
  if (parsed.success && Object.values(fields).every(isFieldValue)) return { chat: parsed.data };
  const whole = recipient.safeParse({ to, fields: { ...fields } });
  return whole.success ? { chat: whole.data.to } : { faults: fieldFaults(whole.error) };
}

type Batch = { columns: Columns; rows: CsvRow[] };

/** The rows after the header, which names the columns: `to` and one per field. Skips other columns. */
async function* batchesOf({ pieces, charset }: Table, fields: readonly string[]): AsyncGenerator<Batch, undefined> {
  let columns: Columns | undefined;
  let rows: CsvRow[] = [];
  const budget = createLoopBudget();
  const csv = new CsvReader(bounds);
  try {
    for (const read of csvRows(csv, pieces, createTextReader(charset))) {
      for (const row of read) {
        if (columns === undefined) {
          columns = columnsOf(row, fields);
          csv.keepOnly(columns.kept);
        } else if (rows.push(row) === batchSize) {
          yield { columns, rows };
          rows = [];
          const over = budget();
          if (over) await over;
        }
      }
      const over = budget();
      if (over) await over;
    }
  } catch (error) {
    throw asUnreadable(error);
  }
  yield { columns: columns ?? columnsOf({ line: 1, cells: [] }, fields), rows };
  return undefined;
}

function* csvRows(
  csv: CsvReader,
  pieces: Iterable<Uint8Array>,
  text: TextReader,
): Generator<Iterable<CsvRow>, undefined> {
  for (const piece of pieces) yield csv.read(text.read(piece));
  yield csv.read(text.end());
  yield csv.end();
  return undefined;
}

/** Indices of the columns: `to`, one per field, and all of them. */
type Columns = { to: number; fields: [name: string, column: number][]; kept: number[] };

function columnsOf({ cells }: CsvRow, fieldNames: readonly string[]): Columns {
  if (cells.some((cell) => cell.includes("\u0000"))) {
    throw unreadable(
      "contains U+0000 in the first line: UTF-16 needs a byte order mark, or `charset=utf-16le` in Content-Type",
    );
  }
  const names = ["to", ...fieldNames];
  const missing = names.filter((name) => !cells.includes(name));
  if (missing.length > 0) throw unreadable(`lacks the column ${missing.join(", ")} in the first line`);
  const repeated = names.filter((name) => cells.indexOf(name) !== cells.lastIndexOf(name));
  if (repeated.length > 0) throw unreadable(`repeats the column ${repeated.join(", ")} in the first line`);
  const fields = fieldNames.map((name): [string, number] => [name, cells.indexOf(name)]);
  const to = cells.indexOf("to");
  return { to, fields, kept: [to, ...fields.map(([, column]) => column)] };
}

function asUnreadable(error: unknown): unknown {
  if (error instanceof CsvFault) return unreadable(`line ${error.line}: ${error.message}`);
  if (error instanceof NotInCharset) {
    return unreadable(
      `${error.message}: send the table as UTF-8, or declare its charset, as in ` +
        "`Content-Type: text/csv; charset=windows-1252`",
    );
  }
  if (error instanceof UnknownCharset) {
    const message = `${error.message}: send the table as UTF-8`;
    return new AppError("unsupported_media_type", `The table's charset is not supported: ${message}.`, {
      faults: [{ field: "content-type", message }],
    });
  }
  return error;
}

function describeFaults(faults: FieldFault[]): string {
  return faults.map(({ field, message }) => `${field}: ${message}`).join("; ");
}

function unreadable(message: string): AppError {
  return new AppError("invalid_request", "The table cannot be parsed. See `errors`.", {
    faults: [{ field: "body", message }],
  });
}
