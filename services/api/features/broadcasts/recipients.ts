import type { z } from "@hono/zod-openapi";
import { AppError } from "../../../../lib/core/errors.ts";
import { maxRenderedLength, parseTemplate } from "../../../../lib/broadcasts/template.ts";
import type { Template } from "../../../../lib/broadcasts/template.ts";
import { addRecipients } from "../../../../lib/db/index.ts";
import type { Broadcast, BusinessScope, NewRecipient } from "../../../../lib/db/index.ts";
import type { OutboxQuota } from "../../../../lib/quotas/index.ts";
import type { addedSchema, recipient } from "./schemas.ts";

export type Added = z.infer<typeof addedSchema>;

/** A recipient, or why a line is none. */
export type Read = { line: number; recipient: NewRecipient } | { line: number; message: string };

type Room = Pick<ReturnType<OutboxQuota["hold"]>, "resize">;

/** Adds recipients to a broadcast: `addAll` within a transaction. */
export type Add = (
  scope: BusinessScope,
  broadcast: Broadcast,
  reads: Iterable<Read[]> | AsyncIterable<Read[]>,
) => Promise<Added>;

/** Runs `work`, a transaction that adds recipients, within the quotas of a business: it adds all of them or none. */
export async function withinQuota<T>(
  quota: OutboxQuota,
  businessId: string,
  work: (add: Add) => Promise<T>,
): Promise<T> {
  await quota.known(businessId);
  const room = quota.hold(businessId, { queued_messages: 0, queued_bytes: 0 });
  try {
    const result = await work((scope, broadcast, reads) => addAll(scope, broadcast, reads, room));
    room.keep();
    return result;
  } finally {
    room.release();
  }
}

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
    return {
      line,
      message: `${chat}: the text has ${length} characters with these fields; up to ${maxRenderedLength} are allowed`,
    };
  }
  return { line, recipient: { chat, fields, text_length: length } };
}

/**
 * Adds the valid recipients and reports why the others are refused. Throws "conflict" if the broadcast is not a draft,
 * and "quota_exceeded" once `room` does not hold the new ones: call it in a transaction.
 */
async function addAll(
  scope: BusinessScope,
  broadcast: Broadcast,
  reads: Iterable<Read[]> | AsyncIterable<Read[]>,
  room: Room,
): Promise<Added> {
  const answer: Added = { added: 0, duplicates: 0, refused: 0, faults: [] };
  let page: NewRecipient[] = [];
  let length = 0;
  let bytes = 0;
  const write = async () => {
    const added = await addRecipients(scope, broadcast.id, page);
    if (added === undefined) throw notADraft(broadcast);
    answer.added += added;
    // Of a page with duplicates, which are written already, the new recipients are taken to be of average size.
    if (added > 0) bytes += Math.ceil((sizeOf(page) * added) / page.length);
    room.resize({ queued_messages: answer.added, queued_bytes: bytes });
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

function sizeOf(page: NewRecipient[]): number {
  let bytes = 0;
  for (const { fields, text_length } of page) {
    bytes += text_length;
    for (const [name, value] of Object.entries(fields)) bytes += name.length + value.length;
  }
  return bytes;
}

export function notADraft({ status }: Broadcast): AppError {
  const detail = status === "draft" ? "This broadcast has been started meanwhile" : `This broadcast is ${status}`;
  return new AppError("conflict", `${detail}; only a draft takes recipients.`);
}
