import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../../../lib/core/errors.ts";
import { getDelivery, getWebhook, listDeliveries, replayDeliveries } from "../../../../lib/db/index.ts";
import type { BusinessScope, Webhook } from "../../../../lib/db/index.ts";
import { businessAccess } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { pageOf, pageThrough } from "../../http/page.ts";
import { bodyProblems, problemResponses } from "../../http/problem.ts";
import {
  deliveryDetail,
  deliveryDetailView,
  deliveryQuery,
  deliverySchema,
  deliveryView,
  mostReplayed,
  replayedSchema,
  replayRange,
} from "./schemas.ts";
import type { WakeUps } from "../../backend/wake_ups.ts";
import { deliveryParams, knownForm, webhookParams } from "../../http/params.ts";
import { noSuchWebhook } from "./routes.ts";

const tags = ["Webhooks"];

export function webhookDeliveryRoutes({ db }: ApiDependencies, wakeUps: WakeUps): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/webhooks/{webhook_id}/deliveries",
      tags,
      summary: "List what was told to an endpoint, or is to be, newest first",
      middleware: [businessAccess(db, "webhooks:read")] as const,
      request: { params: webhookParams, query: deliveryQuery },
      responses: {
        200: { description: "A page", content: { "application/json": { schema: pageOf(deliverySchema) } } },
        ...problemResponses("invalid_request", "forbidden"),
      },
    }),
    async (c) => {
      const webhook = await existing(c.var.business, c.req.valid("param").webhook_id);
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
      summary: "Get a delivery and what it says",
      middleware: [businessAccess(db, "webhooks:read")] as const,
      request: { params: deliveryParams },
      responses: {
        200: { description: "The delivery", content: { "application/json": { schema: deliveryDetail } } },
        ...problemResponses("forbidden"),
      },
    }),
    async (c) => {
      const { webhook_id, delivery_id } = c.req.valid("param");
      const webhook = await existing(c.var.business, webhook_id);
      const id = knownForm(delivery_id);
      const delivery = id === undefined ? undefined : await getDelivery(c.var.business, webhook.id, id);
      if (!delivery) throw noSuchDelivery();
      return c.json(deliveryDetailView(delivery), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/webhooks/{webhook_id}/deliveries/{delivery_id}/replay",
      tags,
      summary: "Deliver again",
      description: "Under the same webhook-id, whatever became of it before.",
      middleware: [businessAccess(db, "webhooks:write")] as const,
      request: { params: deliveryParams },
      responses: { 202: { description: "On its way" }, ...problemResponses("forbidden") },
    }),
    async (c) => {
      const { webhook_id, delivery_id } = c.req.valid("param");
      const webhook = await existing(c.var.business, webhook_id);
      const id = knownForm(delivery_id);
      const replayed = id === undefined ? 0 : await replayDeliveries(c.var.business, webhook.id, { id });
      if (replayed === 0) throw noSuchDelivery();
      wakeUps.webhook(webhook.id);
      return c.body(null, 202);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/webhooks/{webhook_id}/deliveries/replay",
      tags,
      summary: "Deliver again what was given up, or delivered, in a range of time",
      middleware: [businessAccess(db, "webhooks:write")] as const,
      request: {
        params: webhookParams,
        body: { required: true, content: { "application/json": { schema: replayRange } } },
      },
      responses: {
        202: { description: "How many are on their way", content: { "application/json": { schema: replayedSchema } } },
        ...problemResponses(...bodyProblems, "forbidden"),
      },
    }),
    async (c) => {
      const webhook = await existing(c.var.business, c.req.valid("param").webhook_id);
      const replayed = await replayDeliveries(c.var.business, webhook.id, {
        ...c.req.valid("json"),
        most: mostReplayed,
      });
      if (replayed > 0) wakeUps.webhook(webhook.id);
      return c.json({ replayed, more: replayed === mostReplayed }, 202);
    },
  );

  return app;
}

async function existing(scope: BusinessScope, webhookId: string): Promise<Webhook> {
  const id = knownForm(webhookId);
  const webhook = id === undefined ? undefined : await getWebhook(scope, id);
  if (!webhook) throw noSuchWebhook();
  return webhook;
}

function noSuchDelivery(): AppError {
  return new AppError("not_found", "There is no such delivery.");
}
