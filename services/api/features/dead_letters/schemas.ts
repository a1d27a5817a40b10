import { z } from "@hono/zod-openapi";
import { queueNames } from "../../../../lib/queues/index.ts";
import type { DeadLetter } from "../../../../lib/queues/index.ts";
import { numberCursor } from "../../http/number_cursor.ts";
import { timestamp } from "../../http/text.ts";

export const queueParams = z.object({
  name: z
    .string()
    .openapi({ param: { name: "name", in: "path" }, description: `One of ${queueNames.join(", ")}.`, example: "high" }),
});
export const deadLetterParams = queueParams.extend({
  job_id: z.string().openapi({ param: { name: "job_id", in: "path" }, example: "4711" }),
});

export const deadLetterQuery = z.object({
  /** How many letters come before the page. */
  cursor: numberCursor,
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

export function deadLetterView({
  jobId,
  job,
  payload,
  reason,
  attempts,
  createdAt,
  diedAt,
}: DeadLetter): z.infer<typeof deadLetterSchema> {
  return {
    job_id: jobId,
    job,
    payload,
    reason,
    attempts,
    created_at: createdAt.toISOString(),
    died_at: diedAt.toISOString(),
  };
}
