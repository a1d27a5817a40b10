import type { z } from "@hono/zod-openapi";
import type { DeadLetter } from "../../../../lib/queues/index.ts";
import type { deadLetterSchema } from "./schemas.ts";

export function deadLetterView(letter: DeadLetter): z.infer<typeof deadLetterSchema> {
  return {
    job_id: letter.jobId,
    job: letter.job,
    payload: letter.payload,
    reason: letter.reason,
    attempts: letter.attempts,
    created_at: letter.createdAt.toISOString(),
    died_at: letter.diedAt.toISOString(),
  };
}
