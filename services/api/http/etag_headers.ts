import { z } from "@hono/zod-openapi";

export const etagHeader = z.object({
  etag: z
    .string()
    .openapi({ description: "Changes with the representation.", example: '"33a64df551425fcc55e4d42a148795d9"' }),
});

export const ifMatchHeaders = z.object({
  "if-match": z.string().max(1_000).optional().openapi({
    description:
      "The ETag of the representation that you have seen: if it has changed since, nothing is done and the answer is 412.",
    example: '"33a64df551425fcc55e4d42a148795d9"',
  }),
});
