import type { z } from "@hono/zod-openapi";
import type { PhoneNumber } from "../../../../lib/db/index.ts";
import type { phoneNumberSchema } from "./schemas.ts";

export function phoneNumberView({ number, created_at }: PhoneNumber): z.infer<typeof phoneNumberSchema> {
  return { number, created_at: created_at.toISOString() };
}
