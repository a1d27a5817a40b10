import { z } from "@hono/zod-openapi";

/** Accepts any text: an id that we never issued answers 404, not 400, because ids are opaque to callers. */
const id = (name: string, description: string) =>
  z.string().openapi({ param: { name, in: "path" }, description, example: "019a3b5c-7d2e-7f00-8a1b-2c3d4e5f6071" });

export const businessParams = z.object({ business_id: id("business_id", "Id of the business.") });
export const adminKeyParams = z.object({ key_id: id("key_id", "Id of the key.") });
export const keyParams = businessParams.extend(adminKeyParams.shape);
export const webhookParams = businessParams.extend({ webhook_id: id("webhook_id", "Id of the webhook.") });
export const deliveryParams = webhookParams.extend({ delivery_id: id("delivery_id", "Id of the delivery.") });
export const broadcastParams = businessParams.extend({ broadcast_id: id("broadcast_id", "Id of the broadcast.") });
export const mediaParams = businessParams.extend({ media_id: id("media_id", "Id of the file.") });
export const messageParams = businessParams.extend({ message_id: id("message_id", "Id of the message.") });
export const moveParams = z.object({ move_id: id("move_id", "Id of the move.") });

const uuid = z.uuid();

/** The id in the form that Postgres accepts; undefined if it cannot be one of ours. */
export function parseId(text: string): string | undefined {
  return uuid.safeParse(text.toLowerCase()).data;
}
