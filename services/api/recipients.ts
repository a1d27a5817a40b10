import type { z } from "@hono/zod-openapi";
import { AppError } from "../../lib/core/errors.ts";
import { maxRenderedLength, parseTemplate } from "../../lib/broadcasts/template.ts";
import type { Template } from "../../lib/broadcasts/template.ts";
import { addRecipients } from "../../lib/db/index.ts";
import type { Broadcast, BusinessScope, NewRecipient } from "../../lib/db/index.ts";
import { fieldFaults } from "../../lib/runtime/problem.ts";
import { CsvFault, readCsv } from "./csv.ts";
import { recipient } from "./schemas/broadcast.ts";
import type { addedSchema } from "./schemas/broadcast.ts";

export type Added = z.infer<typeof addedSchema>;

/** A recipient, or why a line is none. */
type Read = { line: number; recipient: NewRecipient } | { line: number; message: string };

/** Recipients written in one statement. */
const pageSize = 2_000;
const mostFaults = 100;

/** What is read out of JSON; the lines are places in the list, from 1. */
export function* listed(list: z.output<typeof recipient>[], text: string): Generator<Read> {
  const template = parseTemplate(text);
  for (const [n, given] of list.entries()) yield readOf(n + 1, given, template);
}

function readOf(line: number, { to: chat, fields }: z.output<typeof recipient>, template: Template): Read {
  const absent = template.fields.filter((name) => (fields[name] ?? "") === "");
  if (absent.length > 0) return { line, message: `has no ${absent.join(", ")}` };
  const length = template.renderedLength(fields);
  if (length > maxRenderedLength) {
    return { line, message: `${chat}: the text has ${length} characters with these fields; up to ${maxRenderedLength} are allowed` };
  }
  return { line, recipient: { chat, fields, text_length: length } };
}

/** What is read out of CSV: a column `to`, and one for each field of the text. Throws invalid_request where there is no such column. */
export function* uploaded(text: string, templateText: string): Generator<Read> {
  const template = parseTemplate(templateText);
  const needed = template.fields;
  const rows = readCsv(text);
  const head = rows.next().value?.cells ?? [];
  const absent = ["to", ...needed].filter((name) => !head.includes(name));
  if (absent.length > 0) throw refusal(`the first line names no column ${absent.join(", ")}`);
  if (new Set(head).size < head.length) throw refusal("the first line names a column twice");
  for (const { line, cells } of rows) {
    const named = Object.fromEntries(head.map((name, n) => [name, cells[n] ?? ""]));
    const parsed = recipient.safeParse({ to: named["to"], fields: pick(named, needed) });
    if (!parsed.success) {
      yield {
        line,
        message: fieldFaults(parsed.error)
          .map(({ field, message }) => `${field}: ${message}`)
          .join("; "),
      };
      continue;
    }
    yield readOf(line, parsed.data, template);
  }
}

/** Adds what can be added and says of the rest why not. Throws "conflict" where the broadcast is no draft any more. */
export async function addAll(scope: BusinessScope, broadcast: Broadcast, reads: Iterable<Read>): Promise<Added> {
  const answer: Added = { added: 0, duplicates: 0, refused: 0, faults: [] };
  let page: NewRecipient[] = [];
  const write = async () => {
    const added = await addRecipients(scope, broadcast.id, page);
    if (added === undefined) throw new AppError("conflict", `This broadcast is ${broadcast.status}; only a draft takes recipients.`);
    answer.added += added;
    answer.duplicates += page.length - added;
    page = [];
  };
  try {
    for (const read of reads) {
      if ("recipient" in read) page.push(read.recipient);
      else {
        answer.refused += 1;
        if (answer.faults.length < mostFaults) answer.faults.push(read);
      }
      if (page.length === pageSize) await write();
    }
  } catch (error) {
    if (error instanceof CsvFault) throw refusal(`line ${error.line}: ${error.message}`);
    throw error;
  }
  await write();
  return answer;
}

function pick(named: Record<string, string>, names: string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, named[name] ?? ""]));
}

function refusal(message: string): AppError {
  return new AppError("invalid_request", "The table cannot be read.", { faults: [{ field: "body", message }] });
}
