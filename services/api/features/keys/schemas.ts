import { z } from "@hono/zod-openapi";
import type { ListedKey } from "../../../../lib/db/index.ts";
import { scopes } from "../../http/auth/principal.ts";
import type { Scope } from "../../http/auth/principal.ts";
import { pageQuery } from "../../http/page.ts";
import { isoOrNull, moment, storableText, timestamp } from "../../http/text.ts";

const scope = z.enum(scopes).openapi("Scope", { example: "messages:write" });
const name = storableText(1, 200).openapi({ description: "What you call it.", example: "Order system" });
/** That it lies in the future is judged by the database's clock (insertKey). */
const expiry = moment.openapi({
  type: "string",
  format: "date-time",
  description: "It works until then.",
  example: "2036-01-01T00:00:00.000Z",
});

export const newKey = z
  .strictObject({
    scopes: z
      .array(scope)
      .min(1)
      .max(scopes.length)
      .overwrite((names) => [...new Set(names)])
      .openapi({ example: ["messages:read", "messages:write"] }),
    name: name.optional(),
    expires_at: expiry.optional(),
  })
  .openapi("NewKey");

export const newAdminKey = z
  .strictObject({ name: name.optional(), expires_at: expiry.optional() })
  .openapi("NewAdminKey");

/** Thirty days: longer, and it is no rotation. */
const maxOverlapS = 30 * 86_400;

export const rotation = z
  .strictObject({
    overlap_s: z
      .int()
      .min(0)
      .max(maxOverlapS)
      .default(86_400)
      .openapi({ description: "Seconds for which the old key still works.", example: 3600 }),
  })
  .openapi("Rotation");

export const keyQuery = z.object({
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9]{8}$/, "must be the 8 characters after psk_")
    .optional()
    .openapi({ description: "The 8 characters after psk_.", example: "k3vq8x2m" }),
  ...pageQuery,
});

export const keySchema = z
  .object({
    id: z.string(),
    prefix: z.string().openapi({ description: "The part of the key that may be shown.", example: "k3vq8x2m" }),
    name: z.string().nullable(),
    scopes: z
      .array(scope)
      .openapi({ description: "Empty for an admin key, which may do everything.", example: ["messages:read"] }),
    created_at: timestamp,
    expires_at: timestamp.nullable(),
    last_used_at: timestamp.nullable().openapi({ description: "To the minute or so." }),
  })
  .openapi("Key");

export const createdKey = keySchema
  .extend({
    key: z
      .string()
      .openapi({ description: "The key itself: shown once, here.", example: "psk_k3vq8x2m_(43 characters)" }),
  })
  .openapi("CreatedKey");

export function keyView(key: ListedKey): z.infer<typeof keySchema> {
  return {
    id: key.id,
    prefix: key.prefix,
    name: key.name,
    scopes: key.scopes as Scope[],
    created_at: key.created_at.toISOString(),
    expires_at: isoOrNull(key.expires_at),
    last_used_at: isoOrNull(key.last_used_at),
  };
}
