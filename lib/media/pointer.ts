import { z } from "zod";

const base64 = (bytes: number) =>
  z.base64().refine((text) => Buffer.from(text, "base64").length === bytes, `must be ${bytes} bytes`);

/** The location of a file on WhatsApp's media host, and its key. A secret: it suffices to read the file. */
export const mediaPointer = z.object({
  /** Path and query on the host. */
  direct_path: z
    .string()
    .regex(/^\/(?!\/)[\x21-\x7e]*$/, "must be a path")
    .max(2_048),
  media_key: base64(32),
  /** SHA-256 of the content, and of the encrypted file on the host. */
  file_sha256: base64(32),
  file_enc_sha256: base64(32),
  /** Length of the content in bytes, as its sender declares it. */
  file_length: z.int().min(0),
  /** Unix seconds at which the key was created. */
  media_key_at: z.int().min(0).optional(),
});
export type MediaPointer = z.infer<typeof mediaPointer>;
