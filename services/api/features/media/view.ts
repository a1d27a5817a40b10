import type { z } from "@hono/zod-openapi";
import type { Media } from "../../../../lib/db/index.ts";
import type { MediaLinks } from "../../../../lib/messages/index.ts";
import type { mediaSchema } from "./schemas.ts";

/** Lifetime of the signed URLs in responses. Every read signs new ones. */
export const signedUrlS = 15 * 60;

export function mediaView(
  { id, mime, size, sha256, width, height, seconds, thumbnail_key, created_at }: Media,
  links: MediaLinks,
): z.infer<typeof mediaSchema> {
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
