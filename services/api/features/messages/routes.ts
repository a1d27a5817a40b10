import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { sharedDate } from "../../../../lib/core/time.ts";

import { uuidv7Time } from "../../../../lib/core/ids.ts";
import { forBusiness, getBusiness, getMessage, listMessages } from "../../../../lib/db/index.ts";
import type { BusinessScope } from "../../../../lib/db/index.ts";
import type { OutboxQuota } from "../../../../lib/quotas/index.ts";
import { businessAccess, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { idempotencyHeaders } from "../../http/idempotency.ts";
import { signedUrlS } from "../media/view.ts";
import { messageRequest } from "./request.ts";
import { acceptedMessage, messageQuery, messageSchema, messageWithHistory } from "./schemas.ts";
import { messageView, messageWithHistoryView } from "./view.ts";
import { pageOf, pageThrough } from "../../http/page.ts";
import { bodyProblems, noSuch, problemResponses } from "../../http/problem.ts";
import { createOutbox, submit } from "./submit.ts";
import type { WakeUps } from "../../backend/wake_ups.ts";
import { businessParams, parseId, messageParams } from "../../http/params.ts";

const tags = ["Messages"];

export function messageRoutes(
  { db, replica, router, shards, metrics, media }: ApiDependencies,
  wakeUps: WakeUps,
  quota: OutboxQuota,
): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();
  const outbox = createOutbox(db);
  const links = ({ businessId }: BusinessScope) => media.signer.links(businessId, signedUrlS);
  const accepted = metrics.counter("api_messages_accepted_total", "Messages enqueued in the outbox.");

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/messages",
      tags,
      summary: "Send a message",
      description:
        "Enqueues a message and responds once it is stored. Messages of a chat are sent in order. They wait while " +
        "the session is not open. Get the message to read its status.\n\n" +
        "A business may have 250,000 queued messages and 1 GiB of them, unless the operator has set other quotas. " +
        "Recipients of unfinished broadcasts count. Beyond that the request fails with `quota_exceeded`: retry when " +
        "some messages have been sent.",
      middleware: [businessAccess(db, "messages:write")] as const,
      request: {
        params: businessParams,
        headers: idempotencyHeaders,
        body: { required: true, content: { "application/json": { schema: messageRequest } } },
      },
      responses: {
        202: { description: "The queued message", content: { "application/json": { schema: acceptedMessage } } },
        ...problemResponses(
          ...bodyProblems,
          "forbidden",
          "conflict",
          "idempotency_mismatch",
          "quota_exceeded",
          "upstream_timeout",
        ),
      },
    }),
    async (c) => {
      const key = c.req.valid("header")["idempotency-key"];
      const business = c.get("business");
      const { answer, fresh } = await submit(outbox, quota, { router, shards }, business, c.req.valid("json"), key);
      if (fresh) {
        accepted.inc();
        wakeUps.outbox(business.businessId);
      } else {
        c.header("idempotency-replayed", "true");
      }
      return c.json(answer, 202);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/messages/{message_id}",
      tags,
      summary: "Get a message",
      description:
        "Includes the message's status, the times of its receipts, and what edits, deletions and reactions made of it.",
      middleware: [businessAccess(db, "messages:read")] as const,
      request: { params: messageParams },
      responses: {
        200: { description: "The message", content: { "application/json": { schema: messageWithHistory } } },
        ...problemResponses("forbidden"),
      },
    }),
    async (c) => {
      const id = parseId(c.req.valid("param").message_id);
      const business = c.get("business");
      const message = id === undefined ? undefined : await getMessage(business, id);
      if (!message) throw noSuch("message");
      return c.json(messageWithHistoryView(message, links(business)), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/messages",
      tags,
      summary: "List messages",
      description: "Returns the newest messages first.",
      middleware: [businessAccess(db, "messages:read")] as const,
      request: { params: businessParams, query: messageQuery },
      responses: {
        200: { description: "A page of messages", content: { "application/json": { schema: pageOf(messageSchema) } } },
        ...problemResponses("invalid_request", "forbidden"),
      },
    }),
    async (c) => {
      const { cursor, limit, ...filter } = c.req.valid("query");
      // Only older pages may come from the replica, because the first one must include messages just sent.
      const upTo = cursor === undefined ? sharedDate() : new Date(uuidv7Time(cursor));
      const business = c.get("business");
      const { businessId, dueAt } = business;
      const read = (range: { before: string | undefined; limit: number }) =>
        replica.history(upTo, (at) => listMessages(forBusiness(at, businessId, dueAt), { ...filter, ...range }));
      const shown = links(business);
      const page = await pageThrough({ cursor, limit }, read, (message) => messageView(message, shown));
      if (page.data.length === 0 && !(await getBusiness(business))) throw noSuchBusiness();
      return c.json(page, 200);
    },
  );

  return app;
}
