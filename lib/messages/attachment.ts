import { z } from "zod";
import { mediaPointer } from "../media/index.ts";

/** A file that a message comes with. */
export const attachment = z.object({
  /** The stored media; absent until its content was fetched. */
  id: z.uuid().optional(),
  /** Detected from the stored content; before that the sender's claim. */
  mime: z.string(),
  /** Bytes. */
  size: z.int().min(0).optional(),
  /** Pixels. */
  width: z.int().min(0).optional(),
  height: z.int().min(0).optional(),
  /** How long it plays. */
  seconds: z.number().min(0).optional(),
  /** Where WhatsApp keeps it. */
  pointer: mediaPointer.optional(),
  /** A tiny JPEG, shown until the file is there. */
  preview: z.base64().optional(),
  /** Why its content cannot be had. */
  error: z.string().optional(),
});
export type Attachment = z.infer<typeof attachment>;

/** Addresses at which a file can be had for a while without a key. */
export type MediaUrls = { url: string; thumbnail_url?: string | undefined; url_expires_at: string };

/** Makes the addresses of one business's media. */
export type MediaLinks = (mediaId: string, mime: string) => MediaUrls;

/** A file as customers are shown it. */
export const publicAttachment = z
  .object({
    id: z.string().nullable().meta({ description: "The media that has its content; null while that is not ours yet." }),
    status: z
      .enum(["pending", "available", "failed"])
      .meta({ description: "pending: it is being fetched from WhatsApp." }),
    mime: z.string(),
    size: z.int().optional().meta({ description: "Bytes." }),
    width: z.int().optional(),
    height: z.int().optional(),
    seconds: z.number().optional(),
    url: z.string().optional().meta({ description: "Where it can be had without a key, until url_expires_at." }),
    thumbnail_url: z.string().optional().meta({ description: "A small JPEG, of pictures." }),
    url_expires_at: z.string().optional(),
    error: z.string().optional().meta({
      description: "Why it cannot be had: `gone`, `mismatch`, `quota_exceeded`, `too_large` or `unreachable`.",
    }),
  })
  .meta({ id: "Attachment" });
export type PublicAttachment = z.infer<typeof publicAttachment>;

export function publicAttachmentOf(
  { pointer: _pointer, preview: _preview, id, error, ...shown }: Attachment,
  links: MediaLinks,
): PublicAttachment {
  if (id === undefined)
    return {
      id: null,
      status: error === undefined ? "pending" : "failed",
      ...shown,
      ...(error === undefined ? {} : { error }),
    };
  return { id, status: "available", ...shown, ...links(id, shown.mime) };
}
