import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { broadcastVerbs } from "../../../../lib/broadcasts/status.ts";
import { AppError } from "../../../../lib/core/errors.ts";
import {
  atomically,
  broadcastProgress,
  getBusiness,
  listBroadcasts,
  changeBroadcastStatus,
} from "../../../../lib/db/index.ts";
import type { BusinessScope } from "../../../../lib/db/index.ts";
import type { PublishEvents } from "../../../../lib/events/index.ts";
import type { OutboxQuota } from "../../../../lib/quotas/index.ts";
import { businessAccess, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { idempotencyHeaders, runIdempotent } from "../../http/idempotency.ts";
import { createDraft } from "./create_draft.ts";
import { findBroadcast } from "./find_broadcast.ts";
import { parseList, withinQuota } from "./recipients.ts";
import type { Add } from "./recipients.ts";
import { broadcastDetail, broadcastSchema, newBroadcast, startedBroadcast } from "./schemas.ts";
import { transitionBroadcast } from "./transition.ts";
import { broadcastDetailView, broadcastView } from "./view.ts";
import { pageAnswer, pageQuery, pageThrough } from "../../http/page.ts";
import { bodyProblems, noSuch, problemResponses } from "../../http/problem.ts";
import type { WakeUps } from "../../backend/wake_ups.ts";
import { broadcastParams, businessParams, parseId } from "../../http/params.ts";

const tags = ["Broadcasts"];
const json = { "application/json": { schema: broadcastSchema } };

export function broadcastRoutes(
  { db }: ApiDependencies,
  wakeUps: WakeUps,
  quota: OutboxQuota,
  publishEvents: PublishEvents,
): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/broadcasts",
      tags,
      summary: "Create a broadcast",
      description:
        "Sends one text to many recipients, exactly once to each. Without recipients it creates a draft: add " +
        "recipients, then start it. Other messages have priority over messages of broadcasts. Recipients count as " +
        "queued messages: if they exceed the business's quota, nothing is created. A business may create 1,000 " +
        "broadcasts in 24 hours.",
      middleware: [businessAccess(db, "broadcasts:write")] as const,
      request: {
        params: businessParams,
        headers: idempotencyHeaders,
        body: { required: true, content: { "application/json": { schema: newBroadcast } } },
      },
      responses: {
        201: { description: "The broadcast", content: { "application/json": { schema: startedBroadcast } } },
        ...problemResponses(...bodyProblems, "forbidden", "idempotency_mismatch", "quota_exceeded"),
      },
    }),
    async (c) => {
      const body = c.req.valid("json");
      const key = c.req.valid("header")["idempotency-key"];
      const create = (add: Add) => async (scope: BusinessScope) => {
        const draft = await createDraft(scope, body);
        const recipients = await add(scope, draft, parseList(body.recipients ?? [], body.text));
        const started = recipients.added > 0 ? await changeBroadcastStatus(scope, draft.id, "start") : undefined;
        return { ...broadcastView(started?.broadcast ?? draft), recipients };
      };
      const created = await withinQuota(quota, c.var.business, (add) =>
        runIdempotent(c, c.var.business, { key, body }, (scope) => atomically(scope, create(add))),
      );
      if (created.status !== "draft") wakeUps.broadcast(created.id);
      return c.json(created, 201);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/broadcasts",
      tags,
      summary: "List broadcasts",
      description: "Returns the newest broadcasts first.",
      middleware: [businessAccess(db, "broadcasts:read")] as const,
      request: { params: businessParams, query: z.object(pageQuery) },
      responses: {
        200: pageAnswer("A page of broadcasts", broadcastSchema),
        ...problemResponses("invalid_request", "forbidden"),
      },
    }),
    async (c) => {
      const page = await pageThrough(
        c.req.valid("query"),
        (range) => listBroadcasts(c.var.business, range),
        broadcastView,
      );
      if (page.data.length === 0 && !(await getBusiness(c.var.business))) throw noSuchBusiness();
      return c.json(page, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/broadcasts/{broadcast_id}",
      tags,
      summary: "Get a broadcast",
      description: "Includes its progress: the number of recipients by the status of their message.",
      middleware: [businessAccess(db, "broadcasts:read")] as const,
      request: { params: broadcastParams },
      responses: {
        200: { description: "The broadcast", content: { "application/json": { schema: broadcastDetail } } },
        ...problemResponses("forbidden"),
      },
    }),
    async (c) => {
      const broadcast = await findBroadcast(c.var.business, c.req.valid("param").broadcast_id);
      return c.json(broadcastDetailView(broadcast, await broadcastProgress(c.var.business, broadcast.id)), 200);
    },
  );

  const descriptions = {
    start: "Starts a draft at once, or at its scheduled time.",
    pause: "Stops sending. Messages in flight to WhatsApp are still sent.",
    resume: "Continues a paused broadcast.",
    cancel: "Stops the broadcast permanently. Its pending messages are not sent.",
  };
  for (const verb of broadcastVerbs) {
    app.openapi(
      createRoute({
        method: "post",
        path: `/businesses/{business_id}/broadcasts/{broadcast_id}/${verb}`,
        tags,
        summary: `${verb[0]!.toUpperCase()}${verb.slice(1)} a broadcast`,
        description: descriptions[verb],
        middleware: [businessAccess(db, "broadcasts:write")] as const,
        request: { params: broadcastParams },
        responses: {
          200: { description: "The updated broadcast", content: json },
          ...problemResponses("forbidden", "conflict"),
        },
      }),
      async (c) => {
        const id = parseId(c.req.valid("param").broadcast_id);
        const transition =
          id === undefined ? undefined : await transitionBroadcast(publishEvents, c.var.business, id, verb);
        if (!transition) throw noSuch("broadcast");
        const { outcome, broadcast } = transition;
        if (outcome === "refused")
          throw new AppError("conflict", `This broadcast is ${broadcast.status}. You cannot ${verb} it.`);
        if (outcome === "empty") throw new AppError("conflict", "This broadcast has no recipients. Add some first.");
        wakeUps.broadcast(broadcast.id);

        return c.json(broadcastView(broadcast), 200);
      },
    );
  }

  return app;
}
