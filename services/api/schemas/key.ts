import { z } from "@hono/zod-openapi";
import type { ListedKey } from "../../../lib/db/index.ts";
import { scopes } from "../auth/principal.ts";
import { timestamp } from "./text.ts";

const scope = z.enum(scopes).openapi("Scope");

export const newKey = z
  .strictObject({
    scopes: z
      .array(scope)
      .min(1)
      .max(scopes.length)
      .transform((names) => [...new Set(names)]),
  })
  .openapi("NewKey");

export const keySchema = z
  .object({
    id: z.string(),
    prefix: z.string().openapi({ description: "The part of the key that may be shown." }),
    scopes: z.array(z.string()),
    created_at: timestamp,
  })
  .openapi("Key");

export const createdKey = keySchema
  .extend({ key: z.string().openapi({ description: "The key itself: shown once, here." }) })
  .openapi("CreatedKey");

export function keyView(key: ListedKey): z.infer<typeof keySchema> {
  return { id: key.id, prefix: key.prefix, scopes: key.scopes, created_at: key.created_at.toISOString() };
}
