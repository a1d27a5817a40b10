import { z } from "@hono/zod-openapi";
import { pageQuery } from "../../http/page.ts";
import { timestamp } from "../../http/text.ts";

const uuid = (description: string) =>
  z
    .uuid()
    .transform((id) => id.toLowerCase())
    .optional()
    .openapi({ type: "string", format: "uuid", description });

export const auditQuery = z.object({
  business_id: uuid("Returns entries of this business."),
  key_id: uuid("Returns entries of this key."),
  ...pageQuery,
});

const keyPrefix = z.string().openapi({ description: "The public part of the key.", example: "k3vq8x2m" });

export const auditEventSchema = z
  .object({
    id: z.string(),
    at: timestamp,
    key_id: z.string(),
    key_prefix: keyPrefix,
    method: z.string().openapi({ example: "DELETE" }),
    path: z.string().openapi({ example: "/v1/businesses/019a3b5c-7d2e-7f00-8a1b-2c3d4e5f6071" }),
    business_id: z.string().nullable(),
    request_id: z.string(),
    address: z.string().nullable().openapi({
      description: "The address that the request came from. Null in entries from before it was recorded.",
      example: "203.0.113.7",
    }),
    status: z.int().nullable().openapi({
      description: "HTTP status of the response. Null if the process stopped before it responded.",
      example: 204,
    }),
  })
  .openapi("AuditEvent");

export const auditReadSchema = z
  .object({
    id: z.string(),
    key_id: z.string(),
    key_prefix: keyPrefix,
    business_id: z.string(),
    hour: timestamp,
    reads: z.int().openapi({ description: "Requests in that hour that read data of the business.", example: 12 }),
    last_at: timestamp,
  })
  .openapi("AuditRead");
