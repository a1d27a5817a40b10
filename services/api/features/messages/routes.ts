import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { sharedDate } from "../../../../lib/core/time.ts";
import { AppError } from "../../../../lib/core/errors.ts";
import { uuidv7Time } from "../../../../lib/core/ids.ts";
import { forBusiness, getBusiness, getMessage, listMessages } from "../../../../lib/db/index.ts";
import type { BusinessScope } from "../../../../lib/db/index.ts";
import type { OutboxQuota } from "../../../../lib/quotas/index.ts";
import { businessAccess, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { idempotencyHeaders } from "../../http/idempotency_headers.ts";
import { mediaLinksS } from "../media/schemas.ts";
import { acceptedMessage, messageQuery, messageSchema, messageView } from "./schemas.ts";
import { newMessage } from "./request.ts";
import { pageOf, pageThrough } from "../../http/page.ts";
import { bodyProblems, problemResponses } from "../../http/problem.ts";
import { createOutbox, submit } from "./submit.ts";
import type { WakeUps } from "../../backend/wake_ups.ts";
import { businessParams, knownForm, messageParams } from "../../http/params.ts";

const tags = ["Messages"];

export function messageRoutes(
  { db, replica, router, shards, metrics, media }: ApiDependencies,
  wakeUps: WakeUps,
  quota: OutboxQuota,
): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();
  const outbox = createOutbox(db);
  const links = ({ businessId }: BusinessScope) => media.signer.links(businessId, mediaLinksS);
  const accepted = metrics.counter("api_messages_accepted_total", "Messages put into the outbox.");

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/messages",
      tags,
      summary: "Send a message",
      description:
        "Answers once the message is stored; it is sent in order within its chat, and waits while the business's shard is away. Its ticks are read from the message. A business with too many queued messages or bytes (250,000 and 1 GiB unless the operator has set others; recipients of unfinished broadcasts count) is answered `quota_exceeded`: retry once some are sent.",
      middleware: [businessAccess(db, "messages:write")] as const,
      request: {
        params: businessParams,
        headers: idempotencyHeaders,
        body: { required: true, content: { "application/json": { schema: newMessage } } },
      },
      responses: {
        202: { description: "Stored, and on its way", content: { "application/json": { schema: acceptedMessage } } },
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
      const { answer, fresh } = await submit(
        outbox,
        quota,
        { router, shards },
        c.var.business,
        c.req.valid("json"),
        key,
      );
      if (fresh) {
        accepted.inc();
        wakeUps.outbox(c.var.business.businessId);
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
      summary: "Get a message and its ticks",
      middleware: [businessAccess(db, "messages:read")] as const,
      request: { params: messageParams },
      responses: {
        200: { description: "The message", content: { "application/json": { schema: messageSchema } } },
        ...problemResponses("forbidden"),
      },
    }),
    async (c) => {
      const id = knownForm(c.req.valid("param").message_id);
      const message = id === undefined ? undefined : await getMessage(c.var.business, id);
      if (!message) throw new AppError("not_found", "There is no such message.");
      return c.json(messageView(message, links(c.var.business)), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/messages",
      tags,
      summary: "List messages, newest first",
      middleware: [businessAccess(db, "messages:read")] as const,
      request: { params: businessParams, query: messageQuery },
      responses: {
        200: { description: "A page", content: { "application/json": { schema: pageOf(messageSchema) } } },
        ...problemResponses("invalid_request", "forbidden"),
      },
    }),
    async (c) => {
      const { cursor, limit, ...filter } = c.req.valid("query");
      // A page of long ago may come from the replica; the first one shows what was sent a moment ago.
      const upTo = cursor === undefined ? sharedDate() : new Date(uuidv7Time(cursor));
      const { businessId } = c.var.business;
      const read = (range: { before: string | undefined; limit: number }) =>
        replica.history(upTo, (at) => listMessages(forBusiness(at, businessId), { ...filter, ...range }));
      const shown = links(c.var.business);
      const page = await pageThrough({ cursor, limit }, read, (message) => messageView(message, shown));
      if (page.data.length === 0 && !(await getBusiness(c.var.business))) throw noSuchBusiness();
      return c.json(page, 200);
    },
  );

  return app;
}
