import type { z } from "@hono/zod-openapi";
import { AppError } from "../../../../lib/core/errors.ts";
import { maxRenderedLength, parseTemplate } from "../../../../lib/broadcasts/template.ts";
import type { Template } from "../../../../lib/broadcasts/template.ts";
import { addRecipients } from "../../../../lib/db/index.ts";
import type { Broadcast, BusinessScope, NewRecipient } from "../../../../lib/db/index.ts";
import type { OutboxQuota } from "../../../../lib/quotas/index.ts";
import type { addedSchema, recipient } from "./schemas.ts";

export type Added = z.infer<typeof addedSchema>;

/** A valid recipient, or the reason why the row is invalid. */
export type ParsedRow = { line: number; recipient: NewRecipient } | { line: number; message: string };

type ParsedRows = Iterable<ParsedRow[]> | AsyncIterable<ParsedRow[]>;

type Reservation = Pick<ReturnType<OutboxQuota["hold"]>, "resize">;

/** Adds recipients to a broadcast, within a transaction. */
export type Add = (scope: BusinessScope, broadcast: Broadcast, batches: ParsedRows) => Promise<Added>;

/**
 * Runs `work`, a transaction that adds recipients, within the business's quota. Throws "quota_exceeded" if they do not
 * fit, so that the transaction adds none.
 */
export async function withinQuota<T>(
  quota: OutboxQuota,
  { businessId, dueAt }: Pick<BusinessScope, "businessId" | "dueAt">,
  work: (add: Add) => Promise<T>,
): Promise<T> {
  await quota.known(businessId, dueAt);
  const reservation = quota.hold(businessId, { queued_messages: 0, queued_bytes: 0 });
  try {
    const result = await work((scope, broadcast, batches) => addAll(scope, broadcast, batches, reservation));
    reservation.keep();
    return result;
  } finally {
    reservation.release();
  }
}

/** Maximum recipients of one statement, and approximate maximum characters of their fields. */
const pageSize = 2_000;
const pageLength = 500_000;
const maxFaults = 100;

/** Parses the recipients of a JSON request. A row's line is its position in the list, from 1. */
export function parseList(list: z.output<typeof recipient>[], text: string): [ParsedRow[]] {
  const template = parseTemplate(text);
  return [list.map((given, n) => parseRow(n + 1, given, template))];
}

/** Validates a recipient against the template: it needs a value for every field, and the text may not be too long. */
export function parseRow(
  line: number,
  { to: chat, fields }: z.output<typeof recipient>,
  template: Template,
): ParsedRow {
  const missing = template.fields.filter((name) => (fields[name] ?? "") === "");
  if (missing.length > 0) return { line, message: `has no ${missing.join(", ")}` };
  const length = template.renderedLength(fields);
  if (length > maxRenderedLength) {
    return {
      line,
      message: `${chat}: the text has ${length} characters with these fields; up to ${maxRenderedLength} are allowed`,
    };
  }
  return { line, recipient: { chat, fields, text_length: length } };
}

/**
 * Inserts the valid recipients page by page and collects the reasons of invalid rows. Throws "conflict" if the
 * broadcast is not a draft, and "quota_exceeded" if the new recipients exceed the reservation. Must run in a
 * transaction.
 */
async function addAll(
  scope: BusinessScope,
  broadcast: Broadcast,
  batches: ParsedRows,
  reservation: Reservation,
): Promise<Added> {
  const result: Added = { added: 0, duplicates: 0, refused: 0, faults: [] };
  let page: NewRecipient[] = [];
  let length = 0;
  let bytes = 0;
  const flush = async () => {
    const added = await addRecipients(scope, broadcast.id, page);
    if (added === undefined) throw notADraft(broadcast);
    result.added += added;
    // In a page with duplicates, estimates the new recipients by the page's average size.
    if (added > 0) bytes += Math.ceil((sizeOf(page) * added) / page.length);
    reservation.resize({ queued_messages: result.added, queued_bytes: bytes });
    result.duplicates += page.length - added;
    page = [];
    length = 0;
  };
  for await (const batch of batches) {
    for (const row of batch) {
      if ("recipient" in row) {
        page.push(row.recipient);
        for (const value of Object.values(row.recipient.fields)) length += value.length;
      } else {
        result.refused += 1;
        if (result.faults.length < maxFaults) result.faults.push(row);
      }
      if (page.length >= pageSize || length >= pageLength) await flush();
    }
  }
  await flush();
  return result;
}

function sizeOf(page: NewRecipient[]): number {
  let bytes = 0;
  for (const { fields, text_length } of page) {
    bytes += text_length;
    for (const [name, value] of Object.entries(fields)) bytes += name.length + value.length;
  }
  return bytes;
}

export function notADraft({ status }: Broadcast): AppError {
  const state = status === "draft" ? "has been started by another request" : `is ${status}`;
  return new AppError("conflict", `This broadcast ${state}. Recipients can only be added to a draft.`);
}
