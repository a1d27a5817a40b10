import { z } from "@hono/zod-openapi";
import { queueNames } from "../../../lib/queues/index.ts";
import type { DeadLetter } from "../../../lib/queues/index.ts";
import { timestamp } from "./text.ts";

export const queueParams = z.object({
  name: z.string().openapi({ param: { name: "name", in: "path" }, description: `One of ${queueNames.join(", ")}.`, example: "high" }),
});
export const deadLetterParams = queueParams.extend({
  job_id: z.string().openapi({ param: { name: "job_id", in: "path" }, example: "4711" }),
});

/** How many letters come before the page, made opaque so that nobody builds on it. */
const cursor = z
  .string()
  .max(40)
  .transform((text, context) => {
    const offset = z.coerce.number().int().min(0).safeParse(Buffer.from(text, "base64url").toString()).data;
    if (offset !== undefined) return offset;
    context.addIssue({ code: "custom", message: "is not a cursor: send back `next_cursor` as it was given" });
    return z.NEVER;
  });

export function deadLetterCursor(offset: number): string {
  return Buffer.from(String(offset)).toString("base64url");
}

export const deadLetterQuery = z.object({
  cursor: cursor.optional().openapi({ type: "string", description: "`next_cursor` of the page before." }),
  limit: z.coerce.number().int().min(1).max(200).default(50).openapi({ type: "integer", description: "Rows a page." }),
});

export const deadLetterSchema = z
  .object({
    job_id: z.string(),
    job: z.string(),
    payload: z
      .record(z.string(), z.unknown())
      .nullable()
      .openapi({ description: "Ids only. Null where it is not understood, and so is not shown." }),
    reason: z.string(),
    attempts: z.int(),
    created_at: timestamp,
    died_at: timestamp,
  })
  .openapi("DeadLetter");

export const replaySchema = z
  .object({
    replayed: z.int(),
    left: z.int().openapi({ description: "Letters whose job this version does not know: discard them." }),
  })
  .openapi("Replay");

export function deadLetterView({ jobId, job, payload, reason, attempts, createdAt, diedAt }: DeadLetter): z.infer<typeof deadLetterSchema> {
  return { job_id: jobId, job, payload, reason, attempts, created_at: createdAt.toISOString(), died_at: diedAt.toISOString() };
}
