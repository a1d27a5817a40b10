import { z } from "@hono/zod-openapi";

/** Ids are opaque to callers: one of a form that we never gave is as unknown as any other. */
const id = (name: string) =>
  z.string().openapi({ param: { name, in: "path" }, example: "019a3b5c-7d2e-7f00-8a1b-2c3d4e5f6071" });

export const businessParams = z.object({ business_id: id("business_id") });
export const keyParams = businessParams.extend({ key_id: id("key_id") });
export const adminKeyParams = z.object({ key_id: id("key_id") });
export const webhookParams = businessParams.extend({ webhook_id: id("webhook_id") });
export const deliveryParams = webhookParams.extend({ delivery_id: id("delivery_id") });
export const broadcastParams = businessParams.extend({ broadcast_id: id("broadcast_id") });
export const mediaParams = businessParams.extend({ media_id: id("media_id") });
export const messageParams = businessParams.extend({ message_id: id("message_id") });

const uuid = z.uuid();

/** The id in the form Postgres takes, or undefined where it cannot be one of ours. */
export function knownForm(text: string): string | undefined {
  return uuid.safeParse(text.toLowerCase()).data;
}
