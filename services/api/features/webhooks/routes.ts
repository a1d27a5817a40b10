import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { sharedDate } from "../../../../lib/core/time.ts";
import { AppError } from "../../../../lib/core/errors.ts";
import { uuidv7 } from "../../../../lib/core/ids.ts";
import {
  deleteWebhook,
  getBusiness,
  getWebhook,
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
import { demandMatch, etagOf } from "../../http/etag.ts";
import { answerOnce } from "../../http/idempotency.ts";
import { etagHeader, ifMatchHeaders } from "../../http/etag_headers.ts";
import { idempotencyHeaders } from "../../http/idempotency_headers.ts";
import { pageOf, pageQuery, pageThrough } from "../../http/page.ts";
import { bodyProblems, problemResponses } from "../../http/problem.ts";
import {
  createdWebhook,
  mostWebhooks,
  newWebhook,
  secretRotation,
  webhookChanges,
  webhookSchema,
  webhookView,
} from "./schemas.ts";
import type { WakeUps } from "../../backend/wake_ups.ts";
import { businessParams, knownForm, webhookParams } from "../../http/params.ts";

const tags = ["Webhooks"];
const json = { "application/json": { schema: webhookSchema } };
const withSecret = { "application/json": { schema: createdWebhook } };
/** The answer bears a secret: no cache may keep it. */
const noStore = { "cache-control": "no-store" };

export function webhookRoutes(
  { db, webhooks }: ApiDependencies,
  wakeUps: WakeUps,
  publishEvents: PublishEvents,
): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  const demandAllowed = (url: string | undefined) => {
    const fault = url === undefined ? undefined : webhooks.policy.faultOf(url);
    if (fault === undefined) return;
    throw new AppError("invalid_request", "The endpoint cannot be called; give another URL.", {
      faults: [{ field: "url", message: fault }],
    });
  };

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/webhooks",
      tags,
      summary: "Have events told to an endpoint",
      description:
        "Deliveries follow Standard Webhooks: POST with webhook-id, webhook-timestamp and webhook-signature. An answer of 2xx within ten seconds takes it; any other is tried again for a day. An event may come twice, under the same webhook-id.",
      middleware: [businessAccess(db, "webhooks:write")] as const,
      request: {
        params: businessParams,
        headers: idempotencyHeaders,
        body: { required: true, content: { "application/json": { schema: newWebhook } } },
      },
      responses: {
        201: { description: "The endpoint and its secret", content: withSecret },
        ...problemResponses(...bodyProblems, "forbidden", "conflict", "idempotency_mismatch"),
      },
    }),
    async (c) => {
      const body = c.req.valid("json");
      demandAllowed(body.url);
      const key = c.req.valid("header")["idempotency-key"];
      const created = await answerOnce(c, c.var.business, { key, body, secret: true }, async (scope) => {
        const id = uuidv7();
        const secret = generateWebhookSecret();
        const sealed = webhooks.secrets.seal(id, secret);
        const stored = await insertWebhook(
          scope,
          { ...body, id, description: body.description ?? null, secret: sealed },
          mostWebhooks,
        );
        if (stored === undefined) throw noSuchBusiness();
        if (stored === "full")
          throw new AppError("conflict", `A business may have ${mostWebhooks} endpoints; delete one first.`);
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
      summary: "List the endpoints of a business, newest first",
      middleware: [businessAccess(db, "webhooks:read")] as const,
      request: { params: businessParams, query: z.object(pageQuery) },
      responses: {
        200: { description: "A page", content: { "application/json": { schema: pageOf(webhookSchema) } } },
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
      summary: "Get an endpoint and how it fares",
      middleware: [businessAccess(db, "webhooks:read")] as const,
      request: { params: webhookParams },
      responses: {
        200: { description: "The endpoint", content: json, headers: etagHeader },
        ...problemResponses("forbidden"),
      },
    }),
    async (c) => {
      const id = knownForm(c.req.valid("param").webhook_id);
      const webhook = id === undefined ? undefined : await getWebhook(c.var.business, id);
      if (!webhook) throw noSuchWebhook();
      const view = webhookView(webhook);
      return c.json(view, 200, { etag: etagOf(view) });
    },
  );

  app.openapi(
    createRoute({
      method: "patch",
      path: "/businesses/{business_id}/webhooks/{webhook_id}",
      tags,
      summary: "Change an endpoint, or put it in or out of service",
      middleware: [businessAccess(db, "webhooks:write")] as const,
      request: {
        params: webhookParams,
        headers: ifMatchHeaders,
        body: { required: true, content: { "application/json": { schema: webhookChanges } } },
      },
      responses: {
        200: { description: "The endpoint as it is now", content: json, headers: etagHeader },
        ...problemResponses(...bodyProblems, "forbidden", "precondition_failed"),
      },
    }),
    async (c) => {
      const changes = c.req.valid("json");
      demandAllowed(changes.url);
      const ifMatch = c.req.valid("header")["if-match"];
      const check = (present: Webhook) => demandMatch(ifMatch, webhookView(present));
      const id = knownForm(c.req.valid("param").webhook_id);
      const webhook = id === undefined ? undefined : await updateWebhook(c.var.business, id, changes, check);
      if (!webhook) throw noSuchWebhook();
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
      summary: "Delete an endpoint",
      description: "What was still to be delivered to it is given up.",
      middleware: [businessAccess(db, "webhooks:write")] as const,
      request: { params: webhookParams },
      responses: { 204: { description: "Deleted" }, ...problemResponses("forbidden") },
    }),
    async (c) => {
      const id = knownForm(c.req.valid("param").webhook_id);
      const deleted = id !== undefined && (await deleteWebhook(c.var.business, id));
      if (!deleted) throw noSuchWebhook();
      return c.body(null, 204);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/webhooks/{webhook_id}/rotate",
      tags,
      summary: "Put a new secret in the place of the present one",
      description: "For the overlap deliveries are signed with both, so that the receiver can change over.",
      middleware: [businessAccess(db, "webhooks:write")] as const,
      request: {
        params: webhookParams,
        headers: idempotencyHeaders,
        body: { required: true, content: { "application/json": { schema: secretRotation } } },
      },
      responses: {
        201: { description: "The endpoint and its new secret", content: withSecret },
        ...problemResponses(...bodyProblems, "forbidden", "idempotency_mismatch"),
      },
    }),
    async (c) => {
      const body = c.req.valid("json");
      const id = knownForm(c.req.valid("param").webhook_id);
      const key = c.req.valid("header")["idempotency-key"];
      const rotated = await answerOnce(c, c.var.business, { key, body, secret: true }, async (scope) => {
        const secret = generateWebhookSecret();
        const sealed = id === undefined ? "" : webhooks.secrets.seal(id, secret);
        const stored = id === undefined ? undefined : await rotateWebhookSecret(scope, id, sealed, body.overlap_s);
        if (!stored) throw noSuchWebhook();
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
      summary: "Tell an endpoint a test event",
      description: "A delivery of webhook.test, like any other; what became of it is read from the deliveries.",
      middleware: [businessAccess(db, "webhooks:write")] as const,
      request: { params: webhookParams },
      responses: { 202: { description: "On its way" }, ...problemResponses("forbidden", "conflict") },
    }),
    async (c) => {
      const id = knownForm(c.req.valid("param").webhook_id);
      const webhook = id === undefined ? undefined : await getWebhook(c.var.business, id);
      if (!webhook) throw noSuchWebhook();
      if (webhook.status === "disabled")
        throw new AppError("conflict", "This endpoint is disabled; make it active first.");
      const { business_id } = webhook;
      const data = { webhook_id: webhook.id };
      const event = { name: "webhook.test", business_id, at: sharedDate(), data, onlyWebhook: webhook.id } as const;
      await publishEvents(await emit(c.var.business, [event]));
      return c.body(null, 202);
    },
  );

  return app;
}

export function noSuchWebhook(): AppError {
  return new AppError("not_found", "There is no such webhook.");
}
