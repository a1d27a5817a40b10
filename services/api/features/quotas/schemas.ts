import { z } from "@hono/zod-openapi";

/** Bounds of a business's own quota: reading the usage takes longer with more rows. */
const most = {
  media_bytes: Number.MAX_SAFE_INTEGER,
  queued_messages: 10_000_000,
  queued_bytes: Number.MAX_SAFE_INTEGER,
};

const quota = (max: number, description: string, example: number) =>
  z.int().min(0).max(max).nullable().default(null).openapi({ description, example });

export const newQuotas = z
  .strictObject({
    media_bytes: quota(most.media_bytes, "Bytes of stored files. Null: the platform's quota.", 21_474_836_480),
    queued_messages: quota(
      most.queued_messages,
      "Queued messages, including recipients of unfinished broadcasts. Null: the platform's quota.",
      500_000,
    ),
    queued_bytes: quota(most.queued_bytes, "Bytes of these messages. Null: the platform's quota.", 2_147_483_648),
  })
  .openapi("NewQuotas");

const use = z
  .object({
    limit: z.int(),
    used: z.int().openapi({ description: "Counting stops just above the limit." }),
    is_default: z.boolean().openapi({ description: "True if the platform's quota applies." }),
  })
  .openapi("QuotaUse");

export const quotasSchema = z.object({ media_bytes: use, queued_messages: use, queued_bytes: use }).openapi("Quotas");
