import { z } from "@hono/zod-openapi";
import { scopes } from "../../http/auth/principal.ts";
import { pageQuery } from "../../http/page.ts";
import { moment, storableText, timestamp } from "../../http/text.ts";

const scope = z.enum(scopes).openapi("Scope", { example: "messages:write" });
const name = storableText(1, 200).openapi({ description: "A name that you choose.", example: "Order system" });
/** insertKey checks by the database's clock that it lies in the future. */
const expiry = moment.openapi({
  type: "string",
  format: "date-time",
  description: "When the key expires. By default it expires with the key that creates it.",
  example: "2036-01-01T00:00:00.000Z",
});

export const newKey = z
  .strictObject({
    scopes: z
      .array(scope)
      .min(1)
      .max(scopes.length)
      .overwrite((names) => [...new Set(names)])
      .openapi({
        description: "Permissions of the key within its business.",
        example: ["messages:read", "messages:write"],
      }),
    name: name.optional(),
    expires_at: expiry.optional(),
  })
  .openapi("NewKey");

export const newAdminKey = z
  .strictObject({ name: name.optional(), expires_at: expiry.optional() })
  .openapi("NewAdminKey");

/** 30 days. A longer overlap would defeat the purpose of a rotation. */
const maxOverlapS = 30 * 86_400;

export const rotation = z
  .strictObject({
    overlap_s: z
      .int()
      .min(0)
      .max(maxOverlapS)
      .default(86_400)
      .openapi({ description: "Seconds until the old key expires.", example: 3600 }),
  })
  .openapi("Rotation");

export const keyQuery = z.object({
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9]{8}$/, "must be the 8 characters after psk_")
    .optional()
    .openapi({ description: "Returns the key with this prefix: the 8 characters after psk_.", example: "k3vq8x2m" }),
  ...pageQuery,
});

export const keySchema = z
  .object({
    id: z.string(),
    prefix: z.string().openapi({ description: "The public part of the key.", example: "k3vq8x2m" }),
    name: z.string().nullable(),
    scopes: z
      .array(scope)
      .openapi({ description: "Empty for an admin key, which has every scope.", example: ["messages:read"] }),
    created_at: timestamp,
    expires_at: timestamp.nullable(),
    last_used_at: timestamp.nullable().openapi({ description: "Accurate to about a minute." }),
  })
  .openapi("Key");

export const createdKey = keySchema
  .extend({
    key: z.string().openapi({
      description: "The key itself. Only this response contains it.",
      example: "psk_k3vq8x2m_(43 characters)",
    }),
  })
  .openapi("CreatedKey");
