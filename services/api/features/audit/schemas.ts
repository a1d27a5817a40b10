import { z } from "@hono/zod-openapi";
import type { AuditEvent, AuditRead } from "../../../../lib/db/index.ts";
import { pageQuery } from "../../http/page.ts";
import { timestamp } from "../../http/text.ts";

const uuid = z
  .uuid()
  .transform((id) => id.toLowerCase())
  .optional()
  .openapi({ type: "string", format: "uuid" });

export const auditQuery = z.object({ business_id: uuid, key_id: uuid, ...pageQuery });

export const auditEventSchema = z
  .object({
    id: z.string(),
    at: timestamp,
    key_id: z.string(),
    key_prefix: z.string().openapi({ example: "k3vq8x2m" }),
    method: z.string().openapi({ example: "DELETE" }),
    path: z.string().openapi({ example: "/v1/businesses/019a3b5c-7d2e-7f00-8a1b-2c3d4e5f6071" }),
    business_id: z.string().nullable(),
    request_id: z.string(),
    status: z
      .int()
      .nullable()
      .openapi({ description: "Of the answer; null where the process ended before it.", example: 204 }),
  })
  .openapi("AuditEvent");

export function auditEventView(event: AuditEvent): z.infer<typeof auditEventSchema> {
  return { ...event, at: event.at.toISOString() };
}

export const auditReadSchema = z
  .object({
    id: z.string(),
    key_id: z.string(),
    key_prefix: z.string().openapi({ example: "k3vq8x2m" }),
    business_id: z.string(),
    hour: timestamp,
    reads: z.int().openapi({ description: "Requests in that hour that read data of the business.", example: 12 }),
    last_at: timestamp,
  })
  .openapi("AuditRead");

export function auditReadView(read: AuditRead): z.infer<typeof auditReadSchema> {
  return { ...read, hour: read.hour.toISOString(), last_at: read.last_at.toISOString() };
}
