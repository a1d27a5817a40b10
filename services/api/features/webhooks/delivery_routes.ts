import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { getDelivery, listDeliveries, replayDeliveries } from "../../../../lib/db/index.ts";
import { businessAccess } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { pageAnswer, pageThrough } from "../../http/page.ts";
import { bodyProblems, noSuch, problemResponses } from "../../http/problem.ts";
import { findWebhook } from "./find_webhook.ts";
import { deliveryDetail, deliveryQuery, deliverySchema, maxReplayed, replayedSchema, replayRange } from "./schemas.ts";
import { deliveryDetailView, deliveryView } from "./view.ts";
import type { WakeUps } from "../../backend/wake_ups.ts";
import { deliveryParams, parseId, webhookParams } from "../../http/params.ts";

const tags = ["Webhooks"];

export function webhookDeliveryRoutes({ db }: ApiDependencies, wakeUps: WakeUps): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/webhooks/{webhook_id}/deliveries",
      tags,
      summary: "List deliveries",
      description: "Returns the newest deliveries of a webhook first.",
      middleware: [businessAccess(db, "webhooks:read")] as const,
      request: { params: webhookParams, query: deliveryQuery },
      responses: {
        200: pageAnswer("A page of deliveries", deliverySchema),
        ...problemResponses("invalid_request", "forbidden"),
      },
    }),
    async (c) => {
      const webhook = await findWebhook(c.var.business, c.req.valid("param").webhook_id);
      const { cursor, limit, ...filter } = c.req.valid("query");
      const read = (range: { before: string | undefined; limit: number }) =>
        listDeliveries(c.var.business, webhook.id, { ...filter, ...range });
      return c.json(await pageThrough({ cursor, limit }, read, deliveryView), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/webhooks/{webhook_id}/deliveries/{delivery_id}",
      tags,
      summary: "Get a delivery",
      description: "Includes the payload.",
      middleware: [businessAccess(db, "webhooks:read")] as const,
      request: { params: deliveryParams },
      responses: {
        200: { description: "The delivery", content: { "application/json": { schema: deliveryDetail } } },
        ...problemResponses("forbidden"),
      },
    }),
    async (c) => {
      const { webhook_id, delivery_id } = c.req.valid("param");
      const webhook = await findWebhook(c.var.business, webhook_id);
      const id = parseId(delivery_id);
      const delivery = id === undefined ? undefined : await getDelivery(c.var.business, webhook.id, id);
      if (!delivery) throw noSuch("delivery");
      return c.json(deliveryDetailView(delivery), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/webhooks/{webhook_id}/deliveries/{delivery_id}/replay",
      tags,
      summary: "Replay a delivery",
      description: "Sends the event again with the same webhook-id, whatever the status of the delivery.",
      middleware: [businessAccess(db, "webhooks:write")] as const,
      request: { params: deliveryParams },
      responses: { 202: { description: "The delivery is pending" }, ...problemResponses("forbidden") },
    }),
    async (c) => {
      const { webhook_id, delivery_id } = c.req.valid("param");
      const webhook = await findWebhook(c.var.business, webhook_id);
      const id = parseId(delivery_id);
      const replayed = id === undefined ? 0 : await replayDeliveries(c.var.business, webhook.id, { id });
      if (replayed === 0) throw noSuch("delivery");
      wakeUps.webhook(webhook.id);
      return c.body(null, 202);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/webhooks/{webhook_id}/deliveries/replay",
      tags,
      summary: "Replay deliveries",
      description: "Sends the dead or delivered events of a time range again, each with its original webhook-id.",
      middleware: [businessAccess(db, "webhooks:write")] as const,
      request: {
        params: webhookParams,
        body: { required: true, content: { "application/json": { schema: replayRange } } },
      },
      responses: {
        202: {
          description: "The number of replayed deliveries",
          content: { "application/json": { schema: replayedSchema } },
        },
        ...problemResponses(...bodyProblems, "forbidden"),
      },
    }),
    async (c) => {
      const webhook = await findWebhook(c.var.business, c.req.valid("param").webhook_id);
      const replayed = await replayDeliveries(c.var.business, webhook.id, {
        ...c.req.valid("json"),
        most: maxReplayed,
      });
      if (replayed > 0) wakeUps.webhook(webhook.id);
      return c.json({ replayed, more: replayed === maxReplayed }, 202);
    },
  );

  return app;
}
