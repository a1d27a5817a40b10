import type { z } from "@hono/zod-openapi";
import type { AuditEvent, AuditRead } from "../../../../lib/db/index.ts";
import type { auditEventSchema, auditReadSchema } from "./schemas.ts";

export function auditEventView(event: AuditEvent): z.infer<typeof auditEventSchema> {
  return { ...event, at: event.at.toISOString() };
}

export function auditReadView(read: AuditRead): z.infer<typeof auditReadSchema> {
  return { ...read, hour: read.hour.toISOString(), last_at: read.last_at.toISOString() };
}
