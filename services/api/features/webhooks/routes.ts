import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { sharedDate } from "../../../../lib/core/time.ts";
import { AppError } from "../../../../lib/core/errors.ts";
import { uuidv7 } from "../../../../lib/core/ids.ts";
import {
  deleteWebhook,
  getBusiness,
  insertWebhook,
  listWebhooks,
  rotateWebhookSecret,
  updateWebhook,
} from "../../../../lib/db/index.ts";
import type { Webhook } from "../../../../lib/db/index.ts";
import { emit } from "../../../../lib/events/index.ts";
import type { PublishEvents } from "../../../../lib/events/index.ts";
import { generateWebhookSecret } from "../../../../lib/webhooks/signature.ts";
import { businessAccess, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { assertIfMatch, etagHeader, etagOf, ifMatchHeaders } from "../../http/etag.ts";
import { idempotencyHeaders, runIdempotent } from "../../http/idempotency.ts";
import { pageOf, pageQuery, pageThrough } from "../../http/page.ts";
import { bodyProblems, noSuch, problemResponses } from "../../http/problem.ts";
import { findWebhook } from "./find_webhook.ts";
import { createdWebhook, newWebhook, secretRotation, webhookChanges, webhookSchema } from "./schemas.ts";
import { webhookView } from "./view.ts";
import type { WakeUps } from "../../backend/wake_ups.ts";
import { businessParams, parseId, webhookParams } from "../../http/params.ts";

const tags = ["Webhooks"];
const json = { "application/json": { schema: webhookSchema } };
const withSecret = { "application/json": { schema: createdWebhook } };
/** Maximum webhooks of a business. Each event costs a delivery to each of them. */
const maxWebhooks = 16;
/** The response contains a secret and must not be cached. */
const noStore = { "cache-control": "no-store" };

export function webhookRoutes(
  { db, webhooks }: ApiDependencies,
  wakeUps: WakeUps,
  publishEvents: PublishEvents,
): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  const assertCallable = (url: string | undefined) => {
    const fault = url === undefined ? undefined : webhooks.policy.faultOf(url);
    if (fault === undefined) return;
    throw new AppError("invalid_request", "The URL cannot be called. Choose another one.", {
      faults: [{ field: "url", message: fault }],
    });
  };

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/webhooks",
      tags,
      summary: "Create a webhook",
      description:
        "Delivers events to a URL as defined by Standard Webhooks: a POST with the headers webhook-id, " +
        "webhook-timestamp and webhook-signature. Respond with 2xx within ten seconds. Failed deliveries are retried " +
        "for a day. Deduplicate by webhook-id, because an event may be delivered twice.",
      middleware: [businessAccess(db, "webhooks:write")] as const,
      request: {
        params: businessParams,
        headers: idempotencyHeaders,
        body: { required: true, content: { "application/json": { schema: newWebhook } } },
      },
      responses: {
        201: { description: "The webhook and its signing secret", content: withSecret },
        ...problemResponses(...bodyProblems, "forbidden", "conflict", "idempotency_mismatch"),
      },
    }),
    async (c) => {
      const body = c.req.valid("json");
      assertCallable(body.url);
      const key = c.req.valid("header")["idempotency-key"];
      const created = await runIdempotent(c, c.var.business, { key, body, secret: true }, async (scope) => {
        const id = uuidv7();
        const secret = generateWebhookSecret();
        const sealed = webhooks.secrets.seal(id, secret);
        const stored = await insertWebhook(
          scope,
          { ...body, id, description: body.description ?? null, secret: sealed },
          maxWebhooks,
        );
        if (stored === undefined) throw noSuchBusiness();
        if (stored === "full")
          throw new AppError("conflict", `A business may have ${maxWebhooks} webhooks. Delete one first.`);
        return { ...webhookView(stored), secret };
      });
      return c.json(created, 201, noStore);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/webhooks",
      tags,
      summary: "List webhooks",
      description: "Returns the newest webhooks first.",
      middleware: [businessAccess(db, "webhooks:read")] as const,
      request: { params: businessParams, query: z.object(pageQuery) },
      responses: {
        200: { description: "A page of webhooks", content: { "application/json": { schema: pageOf(webhookSchema) } } },
        ...problemResponses("invalid_request", "forbidden"),
      },
    }),
    async (c) => {
      const page = await pageThrough(
        c.req.valid("query"),
        (range) => listWebhooks(c.var.business, range),
        (webhook) => webhookView(webhook),
      );
      if (page.data.length === 0 && !(await getBusiness(c.var.business))) throw noSuchBusiness();
      return c.json(page, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/webhooks/{webhook_id}",
      tags,
      summary: "Get a webhook",
      middleware: [businessAccess(db, "webhooks:read")] as const,
      request: { params: webhookParams },
      responses: {
        200: { description: "The webhook", content: json, headers: etagHeader },
        ...problemResponses("forbidden"),
      },
    }),
    async (c) => {
      const view = webhookView(await findWebhook(c.var.business, c.req.valid("param").webhook_id));
      return c.json(view, 200, { etag: etagOf(view) });
    },
  );

  app.openapi(
    createRoute({
      method: "patch",
      path: "/businesses/{business_id}/webhooks/{webhook_id}",
      tags,
      summary: "Update a webhook",
      description: "Set `status` to disable a webhook, or to activate it again.",
      middleware: [businessAccess(db, "webhooks:write")] as const,
      request: {
        params: webhookParams,
        headers: ifMatchHeaders,
        body: { required: true, content: { "application/json": { schema: webhookChanges } } },
      },
      responses: {
        200: { description: "The updated webhook", content: json, headers: etagHeader },
        ...problemResponses(...bodyProblems, "forbidden", "precondition_failed"),
      },
    }),
    async (c) => {
      const changes = c.req.valid("json");
      assertCallable(changes.url);
      const ifMatch = c.req.valid("header")["if-match"];
      const check = (present: Webhook) => assertIfMatch(ifMatch, webhookView(present));
      const id = parseId(c.req.valid("param").webhook_id);
      const webhook = id === undefined ? undefined : await updateWebhook(c.var.business, id, changes, check);
      if (!webhook) throw noSuch("webhook");
      if (webhook.status === "active") wakeUps.webhook(webhook.id);
      const view = webhookView(webhook);
      return c.json(view, 200, { etag: etagOf(view) });
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/businesses/{business_id}/webhooks/{webhook_id}",
      tags,
      summary: "Delete a webhook",
      description: "Discards its pending deliveries.",
      middleware: [businessAccess(db, "webhooks:write")] as const,
      request: { params: webhookParams },
      responses: { 204: { description: "Deleted" }, ...problemResponses("forbidden") },
    }),
    async (c) => {
      const id = parseId(c.req.valid("param").webhook_id);
      const deleted = id !== undefined && (await deleteWebhook(c.var.business, id));
      if (!deleted) throw noSuch("webhook");
      return c.body(null, 204);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/webhooks/{webhook_id}/rotate",
      tags,
      summary: "Rotate a webhook secret",
      description:
        "Replaces the signing secret. For `overlap_s`, deliveries are signed with both secrets, so that the receiver " +
        "can switch over.",
      middleware: [businessAccess(db, "webhooks:write")] as const,
      request: {
        params: webhookParams,
        headers: idempotencyHeaders,
        body: { required: true, content: { "application/json": { schema: secretRotation } } },
      },
      responses: {
        201: { description: "The webhook and its new signing secret", content: withSecret },
        ...problemResponses(...bodyProblems, "forbidden", "idempotency_mismatch"),
      },
    }),
    async (c) => {
      const body = c.req.valid("json");
      const id = parseId(c.req.valid("param").webhook_id);
      const key = c.req.valid("header")["idempotency-key"];
      const rotated = await runIdempotent(c, c.var.business, { key, body, secret: true }, async (scope) => {
        const secret = generateWebhookSecret();
        const sealed = id === undefined ? "" : webhooks.secrets.seal(id, secret);
        const stored = id === undefined ? undefined : await rotateWebhookSecret(scope, id, sealed, body.overlap_s);
        if (!stored) throw noSuch("webhook");
        return { ...webhookView(stored), secret };
      });
      return c.json(rotated, 201, noStore);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/webhooks/{webhook_id}/test",
      tags,
      summary: "Send a test event",
      description: "Delivers the event webhook.test. List the webhook's deliveries to see the result.",
      middleware: [businessAccess(db, "webhooks:write")] as const,
      request: { params: webhookParams },
      responses: { 202: { description: "The test event is queued" }, ...problemResponses("forbidden", "conflict") },
    }),
    async (c) => {
      const webhook = await findWebhook(c.var.business, c.req.valid("param").webhook_id);
      if (webhook.status === "disabled")
        throw new AppError("conflict", "This webhook is disabled. Set its status to active first.");
      const { business_id } = webhook;
      const data = { webhook_id: webhook.id };
      const event = { name: "webhook.test", business_id, at: sharedDate(), data, onlyWebhook: webhook.id } as const;
      await publishEvents(await emit(c.var.business, [event]));
      return c.body(null, 202);
    },
  );

  return app;
}
