import type { z } from "@hono/zod-openapi";
import type { OptOut } from "../../../../lib/db/index.ts";
import type { optOutSchema } from "./schemas.ts";

export function optOutView({ chat, created_at }: OptOut): z.infer<typeof optOutSchema> {
  return { chat, created_at: created_at.toISOString() };
}
