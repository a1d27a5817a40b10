import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { sharedDate } from "../../../../lib/core/time.ts";
import { broadcastVerbs } from "../../../../lib/broadcasts/status.ts";
import type { BroadcastVerb } from "../../../../lib/broadcasts/status.ts";
import { AppError } from "../../../../lib/core/errors.ts";
import { uuidv7 } from "../../../../lib/core/ids.ts";
import {
  atomically,
  broadcastProgress,
  getBroadcast,
  getBusiness,
  insertBroadcast,
  listBroadcasts,
  moveBroadcast,
} from "../../../../lib/db/index.ts";
import type { Broadcast, BusinessScope } from "../../../../lib/db/index.ts";
import { commitWithEvents } from "../../../../lib/events/index.ts";
import type { PublishEvents } from "../../../../lib/events/index.ts";
import type { OutboxQuota } from "../../../../lib/quotas/index.ts";
import { businessAccess, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { answerOnce } from "../../http/idempotency.ts";
import { listed, withinQuota } from "./recipients.ts";
import type { Add } from "./recipients.ts";
import {
  broadcastDetail,
  broadcastDetailView,
  broadcastSchema,
  broadcastView,
  newBroadcast,
  scheduleOf,
  startedBroadcast,
} from "./schemas.ts";
import { idempotencyHeaders } from "../../http/idempotency_headers.ts";
import { pageOf, pageQuery, pageThrough } from "../../http/page.ts";
import { bodyProblems, problemResponses } from "../../http/problem.ts";
import type { WakeUps } from "../../backend/wake_ups.ts";
import { broadcastParams, businessParams, knownForm } from "../../http/params.ts";

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
      summary: "Send one text to many people",
      description:
        "Each recipient is sent one message, whatever happens meanwhile. Without recipients it is a draft: add them, then start it. Messages of broadcasts give way to all others. Recipients count as queued messages: if they exceed the quota of the business, nothing is created.",
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
        const draft = await insertDraft(scope, body);
        const recipients = await add(scope, draft, listed(body.recipients ?? [], body.text));
        const moved = recipients.added > 0 ? await moveBroadcast(scope, draft.id, "start") : undefined;
        return { ...broadcastView(moved?.broadcast ?? draft), recipients };
      };
      const created = await withinQuota(quota, c.var.business.businessId, (add) =>
        answerOnce(c, c.var.business, { key, body }, (scope) => atomically(scope, create(add))),
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
      summary: "List broadcasts, newest first",
      middleware: [businessAccess(db, "broadcasts:read")] as const,
      request: { params: businessParams, query: z.object(pageQuery) },
      responses: {
        200: { description: "A page", content: { "application/json": { schema: pageOf(broadcastSchema) } } },
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
      summary: "Get a broadcast and how far it is",
      middleware: [businessAccess(db, "broadcasts:read")] as const,
      request: { params: broadcastParams },
      responses: {
        200: { description: "The broadcast", content: { "application/json": { schema: broadcastDetail } } },
        ...problemResponses("forbidden"),
      },
    }),
    async (c) => {
      const broadcast = await existingBroadcast(c.var.business, c.req.valid("param").broadcast_id);
      return c.json(broadcastDetailView(broadcast, await broadcastProgress(c.var.business, broadcast.id)), 200);
    },
  );

  const descriptions = {
    start: "Sends a draft, at once or when it is scheduled.",
    pause: "Nothing is sent any more but what was on its way to WhatsApp already.",
    resume: "Goes on with a paused one, where it stood.",
    cancel: "For good: what was not sent is not.",
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
          200: { description: "The broadcast as it is now", content: json },
          ...problemResponses("forbidden", "conflict"),
        },
      }),
      async (c) => {
        const id = knownForm(c.req.valid("param").broadcast_id);
        const moved = id === undefined ? undefined : await transition(publishEvents, c.var.business, id, verb);
        if (!moved) throw noSuchBroadcast();
        const { outcome, broadcast } = moved;
        if (outcome === "refused")
          throw new AppError("conflict", `This broadcast is ${broadcast.status}; it cannot ${verb}.`);
        if (outcome === "empty") throw new AppError("conflict", "This broadcast has no recipients; add some first.");
        wakeUps.broadcast(broadcast.id);
        return c.json(broadcastView(broadcast), 200);
      },
    );
  }

  return app;
}

async function insertDraft(scope: BusinessScope, body: z.output<typeof newBroadcast>): Promise<Broadcast> {
  const time_zone = body.time_zone ?? (await getBusiness(scope))?.time_zone;
  if (time_zone === undefined) throw noSuchBusiness();
  const draft = await insertBroadcast(scope, {
    id: uuidv7(),
    name: body.name,
    text: body.text,
    time_zone,
    scheduled_at: scheduleOf(body, time_zone),
    quiet_from: body.quiet_hours?.from ?? null,
    quiet_to: body.quiet_hours?.to ?? null,
    per_minute: body.per_minute,
  });
  if (draft === undefined) throw noSuchBusiness();
  return draft;
}

/** Changes the status of a broadcast and emits `broadcast.status` if it did change. */
function transition(publishEvents: PublishEvents, scope: BusinessScope, id: string, verb: BroadcastVerb) {
  return commitWithEvents(publishEvents, scope, async (tx) => {
    const moved = await moveBroadcast(tx, id, verb);
    if (moved?.outcome !== "moved") return { result: moved, events: [] };
    const { id: broadcast_id, business_id, status } = moved.broadcast;
    const data = { broadcast_id, status };
    return { result: moved, events: [{ name: "broadcast.status", business_id, at: sharedDate(), data }] };
  });
}

export async function existingBroadcast(scope: BusinessScope, text: string): Promise<Broadcast> {
  const id = knownForm(text);
  const broadcast = id === undefined ? undefined : await getBroadcast(scope, id);
  if (!broadcast) throw noSuchBroadcast();
  return broadcast;
}

function noSuchBroadcast(): AppError {
  return new AppError("not_found", "There is no such broadcast.");
}
