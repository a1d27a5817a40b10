import { z } from "zod";

const base64 = (bytes: number) =>
  z.base64().refine((text) => Buffer.from(text, "base64").length === bytes, `must be ${bytes} bytes`);

/** Where WhatsApp's media host keeps a file, and the key to it: whoever has this can read the file. */
export const mediaPointer = z.object({
  /** Path on the host, with its query. */
  direct_path: z
    .string()
    .regex(/^\/(?!\/)[\x21-\x7e]*$/, "must be a path")
    .max(2_048),
  media_key: base64(32),
  /** Of the content, and of what the host keeps. */
  file_sha256: base64(32),
  file_enc_sha256: base64(32),
  /** Bytes of the content, as its sender says. */
  file_length: z.int().min(0),
  /** Unix seconds at which the key was made. */
  media_key_at: z.int().min(0).optional(),
});
export type MediaPointer = z.infer<typeof mediaPointer>;
