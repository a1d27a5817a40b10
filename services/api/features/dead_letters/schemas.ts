import { z } from "@hono/zod-openapi";
import { queueNames } from "../../../../lib/queues/index.ts";
import { numberCursor } from "../../http/number_cursor.ts";
import { pageLimit } from "../../http/page.ts";
import { timestamp } from "../../http/text.ts";

export const queueParams = z.object({
  name: z.string().openapi({
    param: { name: "name", in: "path" },
    description: `Name of the queue: ${queueNames.join(", ")}.`,
    example: "high",
  }),
});
export const deadLetterParams = queueParams.extend({
  job_id: z.string().openapi({ param: { name: "job_id", in: "path" }, description: "Id of the job.", example: "4711" }),
});

/** The cursor encodes an offset. */
export const deadLetterQuery = z.object({ cursor: numberCursor, limit: pageLimit });

export const deadLetterSchema = z
  .object({
    job_id: z.string(),
    job: z.string(),
    payload: z
      .record(z.string(), z.unknown())
      .nullable()
      .openapi({ description: "The job's payload, which contains only ids. Null if this version cannot parse it." }),
    reason: z.string(),
    attempts: z.int(),
    created_at: timestamp,
    died_at: timestamp,
  })
  .openapi("DeadLetter");

export const replaySchema = z
  .object({
    replayed: z.int().openapi({ description: "Number of jobs enqueued again." }),
    left: z.int().openapi({ description: "Dead letters of jobs that this version does not know. Discard them." }),
  })
  .openapi("Replay");
