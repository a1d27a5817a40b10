import { z } from "@hono/zod-openapi";
import { timestamp } from "../../http/text.ts";

export const mediaSchema = z
  .object({
    id: z.string(),
    mime: z.string().openapi({ description: "Media type, detected from the content.", example: "image/jpeg" }),
    size: z.int().openapi({ description: "Size in bytes.", example: 48_213 }),
    sha256: z.string().openapi({ description: "SHA-256 of the content, in hexadecimal." }),
    width: z
      .int()
      .nullable()
      .openapi({ description: "Width in pixels. Null for other files than pictures, and until it is detected." }),
    height: z.int().nullable().openapi({ description: "Height in pixels." }),
    seconds: z.number().nullable().openapi({ description: "Duration in seconds." }),
    url: z.string().openapi({
      description: "Signed URL of the content. Needs no key, supports range requests and expires at `url_expires_at`.",
    }),
    thumbnail_url: z.string().optional().openapi({ description: "Signed URL of a small JPEG, for pictures." }),
    url_expires_at: timestamp,
    created_at: timestamp,
  })
  .openapi("Media");
