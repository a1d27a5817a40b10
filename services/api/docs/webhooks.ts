import { z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { events, payloads, webhookEvents } from "../../../lib/events/index.ts";
import type { Authenticated } from "../http/auth/guards.ts";

const headers = z.object({
  "webhook-id": z.string().openapi({ description: "The delivery's id: the same on every retry." }),
  "webhook-timestamp": z.string().openapi({ description: "Unix time of this attempt, in seconds." }),
  "webhook-signature": z
    .string()
    .openapi({ description: "Standard Webhooks: `v1,` and base64(HMAC-SHA256); one per valid secret." }),
});

/** Describes each event that webhook endpoints receive in the document's `webhooks` section. */
export function registerWebhooks({ openAPIRegistry }: OpenAPIHono<Authenticated>): void {
  for (const name of webhookEvents) {
    const schema = z.object({ type: z.literal(name), timestamp: z.iso.datetime(), data: payloads[name] });
    openAPIRegistry.registerWebhook({
      method: "post",
      path: name,
      tags: ["Webhooks"],
      summary: events[name].description,
      security: [],
      request: { headers, body: { required: true, content: { "application/json": { schema } } } },
      responses: {
        "2XX": { description: "The endpoint accepted the delivery. Any other answer is retried for a day." },
      },
    });
  }
}
