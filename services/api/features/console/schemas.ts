import { z } from "@hono/zod-openapi";
import { timestamp } from "../../http/text.ts";

const keyPrefix = z.string().openapi({ description: "The public part of the key.", example: "k3vq8x2m" });

export const signedIn = z.object({ key_prefix: keyPrefix, expires_at: timestamp }).openapi("SignedIn");
export const signedInAs = z.object({ key_id: z.string(), key_prefix: keyPrefix }).openapi("SignedInAs");
