import { z } from "@hono/zod-openapi";

export const idempotencyHeaders = z.object({
  "idempotency-key": z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, "must be 1 to 255 visible ASCII characters")
    .optional()
    .openapi({
      description: "The same key with the same request gets the same answer, for 24 hours; nothing is done twice.",
      example: "order-4711-ready",
    }),
});
