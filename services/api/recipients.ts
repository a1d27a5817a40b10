import type { z } from "@hono/zod-openapi";
import { AppError } from "../../lib/core/errors.ts";
import { maxRenderedLength, parseTemplate } from "../../lib/broadcasts/template.ts";
import type { Template } from "../../lib/broadcasts/template.ts";
import { addRecipients } from "../../lib/db/index.ts";
import type { Broadcast, BusinessScope, NewRecipient } from "../../lib/db/index.ts";
import type { addedSchema, recipient } from "./schemas/broadcast.ts";

export type Added = z.infer<typeof addedSchema>;

/** A recipient, or why a line is none. */
export type Read = { line: number; recipient: NewRecipient } | { line: number; message: string };

/** Recipients written in one statement, and characters of all their fields together, about. */
const pageSize = 2_000;
const pageLength = 500_000;
const mostFaults = 100;

/** What is read out of JSON; the lines are places in the list, from 1. */
export function listed(list: z.output<typeof recipient>[], text: string): [Read[]] {
  const template = parseTemplate(text);
  return [list.map((given, n) => readOf(n + 1, given, template))];
}

/** Checks a recipient against the template: it needs every field, and its text is bounded. */
export function readOf(line: number, { to: chat, fields }: z.output<typeof recipient>, template: Template): Read {
  const absent = template.fields.filter((name) => (fields[name] ?? "") === "");
  if (absent.length > 0) return { line, message: `has no ${absent.join(", ")}` };
  const length = template.renderedLength(fields);
  if (length > maxRenderedLength) {
    return { line, message: `${chat}: the text has ${length} characters with these fields; up to ${maxRenderedLength} are allowed` };
  }
  return { line, recipient: { chat, fields, text_length: length } };
}

/** Adds what can be added and says of the rest why not. Throws "conflict" where the broadcast is not a draft. */
export async function addAll(scope: BusinessScope, broadcast: Broadcast, reads: Iterable<Read[]> | AsyncIterable<Read[]>): Promise<Added> {
  const answer: Added = { added: 0, duplicates: 0, refused: 0, faults: [] };
  let page: NewRecipient[] = [];
  let length = 0;
  const write = async () => {
    const added = await addRecipients(scope, broadcast.id, page);
    if (added === undefined) throw notADraft(broadcast);
    answer.added += added;
    answer.duplicates += page.length - added;
    page = [];
    length = 0;
  };
  for await (const batch of reads) {
    for (const read of batch) {
      if ("recipient" in read) {
        page.push(read.recipient);
        for (const value of Object.values(read.recipient.fields)) length += value.length;
      } else {
        answer.refused += 1;
        if (answer.faults.length < mostFaults) answer.faults.push(read);
      }
      if (page.length >= pageSize || length >= pageLength) await write();
    }
  }
  await write();
  return answer;
}

export function notADraft({ status }: Broadcast): AppError {
  const detail = status === "draft" ? "This broadcast has been started meanwhile" : `This broadcast is ${status}`;
  return new AppError("conflict", `${detail}; only a draft takes recipients.`);
}
