import { z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { events, payloads, webhookEvents } from "../../../lib/events/index.ts";
import type { Authenticated } from "../http/auth/guards.ts";

/** Headers of a delivery, with their descriptions. */
const headers = {
  "webhook-id": "The delivery's id: the same on every retry.",
  "webhook-timestamp": "Unix time of this attempt, in seconds.",
  "webhook-signature": "Standard Webhooks: `v1,` and base64(HMAC-SHA256); one per valid secret.",
};

/** Describes each event that webhook endpoints receive in the document's `webhooks` section. */
export function registerWebhooks({ openAPIRegistry }: OpenAPIHono<Authenticated>): void {
  const parameters = Object.entries(headers).map(([name, description]) =>
    openAPIRegistry.registerParameter(name, z.string().openapi({ param: { name, in: "header", description } })),
  );
  for (const name of webhookEvents) {
    const schema = z.object({ type: z.literal(name), timestamp: z.iso.datetime(), data: payloads[name] });
    openAPIRegistry.registerWebhook({
      method: "post",
      path: name,
      tags: ["Webhooks"],
      summary: events[name].description,
      security: [],
      request: { headers: parameters, body: { required: true, content: { "application/json": { schema } } } },
      responses: {
        "2XX": { description: "The endpoint accepted the delivery. Any other answer is retried for a day." },
      },
    });
  }
}
