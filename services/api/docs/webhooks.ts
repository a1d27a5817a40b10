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
const optionalHeaders = { traceparent: "W3C trace context, if the event's trace is sampled. Not signed." };

/** Describes each event that webhook endpoints receive in the document's `webhooks` section. */
export function registerWebhooks({ openAPIRegistry }: OpenAPIHono<Authenticated>): void {
  const register = (schema: z.ZodType, [name, description]: [string, string]) =>
    openAPIRegistry.registerParameter(name, schema.openapi({ param: { name, in: "header", description } }));
  const parameters = [
    ...Object.entries(headers).map((header) => register(z.string(), header)),
    ...Object.entries(optionalHeaders).map((header) => register(z.string().optional(), header)),
  ];
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
