import type { z } from "@hono/zod-openapi";
import type { ListedKey } from "../../../../lib/db/index.ts";
import type { Scope } from "../../http/auth/principal.ts";
import { isoOrNull } from "../../http/text.ts";
import type { keySchema } from "./schemas.ts";

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
