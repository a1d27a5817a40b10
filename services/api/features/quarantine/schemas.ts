import { z } from "@hono/zod-openapi";
import { journalEntries } from "../../../../lib/contracts/shard/index.ts";
import { pageQuery } from "../../http/page.ts";
import { timestamp } from "../../http/text.ts";

const streams = Object.keys(journalEntries) as [string, ...string[]];

const filter = {
  stream: z
    .enum(streams)
    .optional()
    .openapi({
      description:
        "Entries of this stream: `inbound` (messages), `receipts`, `events` (of sessions, and contacts' statuses) or " +
        "`identities` (names of accounts).",
    }),
  shard: z.coerce
    .number()
    .int()
    .min(1)
    .max(100_000)
    .optional()
    .openapi({ type: "integer", description: "Entries of this shard." }),
  business_id: z.uuid().optional().openapi({ description: "Entries of this business." }),
};

export const quarantineQuery = z.object({ ...filter, ...pageQuery });
export const replayQuery = z.object(filter);

const entry_id = z
  .string()
  .openapi({ param: { name: "entry_id", in: "path" }, description: "Id of the quarantined entry." });
export const quarantineParams = z.object({ entry_id });
export const quarantineContentParams = z.object({
  business_id: z.string().openapi({ param: { name: "business_id", in: "path" }, description: "Id of the business." }),
  entry_id,
});

export const quarantinedSchema = z
  .object({
    id: z.string(),
    shard: z.int(),
    stream: z.string(),
    seq: z.int().openapi({ description: "The entry's number in the journal of its shard." }),
    business_id: z.string().nullable().openapi({ description: "Null if the entry names no business." }),
    reason: z.string().openapi({ description: "Why the entry could not be written, without its contents." }),
    bytes: z.int().openapi({ description: "Size of the entry." }),
    created_at: timestamp,
    replay_requested_at: timestamp.nullable().openapi({ description: "Not null while a replay is pending." }),
  })
  .openapi("QuarantinedEntry");

export const quarantinedContentSchema = quarantinedSchema
  .extend({
    entry: z.unknown().openapi({ description: "The entry as the shard sent it. Null if it is larger than 1 MB." }),
  })
  .openapi("QuarantinedEntryContent");

export const replayRequestedSchema = z
  .object({ requested: z.int().openapi({ description: "Number of entries that will be replayed." }) })
  .openapi("QuarantineReplay");
