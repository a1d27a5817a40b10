import type { z } from "@hono/zod-openapi";
import type { Business } from "../../../../lib/db/index.ts";
import type { businessSchema } from "./schemas.ts";

export function businessView(business: Business): z.infer<typeof businessSchema> {
  return {
    id: business.id,
    name: business.name,
    time_zone: business.time_zone,
    whatsapp_shard: business.whatsapp_shard,
    receive_statuses: business.receive_statuses,
    device_name: business.device_name,
    created_at: business.created_at.toISOString(),
    updated_at: business.updated_at.toISOString(),
  };
}
