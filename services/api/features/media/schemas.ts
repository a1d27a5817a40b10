import { z } from "@hono/zod-openapi";
import type { Media } from "../../../../lib/db/index.ts";
import type { MediaLinks } from "../../../../lib/messages/index.ts";
import { timestamp } from "../../http/text.ts";

/** How long the addresses in answers are good: whoever reads again gets new ones. */
export const mediaLinksS = 15 * 60;

export const mediaSchema = z
  .object({
    id: z.string(),
    mime: z.string().openapi({ description: "What it is, by its content.", example: "image/jpeg" }),
    size: z.int().openapi({ description: "Bytes.", example: 48_213 }),
    sha256: z.string().openapi({ description: "Of the content, hexadecimal." }),
    width: z
      .int()
      .nullable()
      .openapi({ description: "Pixels; null until the picture was looked into, and where it is none." }),
    height: z.int().nullable(),
    seconds: z.number().nullable().openapi({ description: "How long it plays." }),
    url: z.string().openapi({ description: "Where it can be had without a key, until url_expires_at. Takes ranges." }),
    thumbnail_url: z.string().optional().openapi({ description: "A small JPEG, of pictures that were looked into." }),
    url_expires_at: timestamp,
    created_at: timestamp,
  })
  .openapi("Media");

export function mediaView(
  { id, mime, size, sha256, width, height, seconds, thumbnail_key, created_at }: Media,
  links: MediaLinks,
) {
  const { thumbnail_url, ...urls } = links(id, mime);
  return {
    id,
    mime,
    size,
    sha256,
    width,
    height,
    seconds,
    ...urls,
    ...(thumbnail_key === null || thumbnail_url === undefined ? {} : { thumbnail_url }),
    created_at: created_at.toISOString(),
  };
}
