import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { sharedDate } from "../../../../lib/core/time.ts";
import { forBusiness, getBusiness, getCall, listCalls } from "../../../../lib/db/index.ts";
import type { Call } from "../../../../lib/db/index.ts";
import { businessAccess, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { callCursorOf, callDetail, callParams, callQuery, callSchema, newCall, placedCall } from "./schemas.ts";
import { callDetailView, callView, liveCallView } from "./view.ts";
import { idempotencyHeaders } from "../../http/idempotency.ts";
import { signedUrlS } from "../media/view.ts";
import { pageOf } from "../../http/page.ts";
import { bodyProblems, noSuch, problemResponses } from "../../http/problem.ts";
import { businessParams } from "../../http/params.ts";

const tags = ["Calls"];
const sidPattern = /^CA[0-9a-f]{32}$/;

/** Maximum calls in progress of one response. */
const maxLive = 200;

export function callRoutes({
  db,
  replica,
  calls: service,
  liveCalls,
  media,
}: ApiDependencies): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/calls",
      tags,
      summary: "Create a call",
      description:
        "Dials a phone number from a number of the business and connects it to the business's voice agent. While the " +
        "concurrent-call limit is reached, the request fails with 503 and Retry-After.",
      middleware: [businessAccess(db, "calls:write")] as const,
      request: {
        params: businessParams,
        headers: idempotencyHeaders,
        body: { required: true, content: { "application/json": { schema: newCall } } },
      },
      responses: {
        202: {
          description: "The queued call. Get it by its sid to read its status",
          content: { "application/json": { schema: placedCall } },
        },
        ...problemResponses(...bodyProblems, "forbidden", "conflict", "idempotency_mismatch", "upstream_timeout"),
      },
    }),
    async (c) => {
      if (!(await getBusiness(c.var.business))) throw noSuchBusiness();
      const order = { business_id: c.var.business.businessId, ...c.req.valid("json") };
      const { call_sid, status, replayed } = await service.dial(order, c.req.valid("header")["idempotency-key"]);
      if (replayed) c.header("idempotency-replayed", "true");
      return c.json({ call_sid, status }, 202);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/calls/active",
      tags,
      summary: "List active calls",
      description: `Returns the ${maxLive} newest calls in progress.`,
      middleware: [businessAccess(db, "calls:read")] as const,
      request: { params: businessParams },
      responses: {
        200: {
          description: "The calls in progress",
          content: { "application/json": { schema: z.object({ data: z.array(callSchema) }) } },
        },
        ...problemResponses("forbidden"),
      },
    }),
    async (c) => {
      const live = await liveCalls.list(c.var.business.businessId, maxLive);
      if (live.length === 0 && !(await getBusiness(c.var.business))) throw noSuchBusiness();
      return c.json({ data: live.map((call) => liveCallView(call.call_sid, call)) }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/calls",
      tags,
      summary: "List calls",
      description:
        "Returns ended calls, the newest first. List active calls for those in progress. The events call.started, " +
        "call.resumed and call.ended report changes.",
      middleware: [businessAccess(db, "calls:read")] as const,
      request: { params: businessParams, query: callQuery },
      responses: {
        200: { description: "A page of calls", content: { "application/json": { schema: pageOf(callSchema) } } },
        ...problemResponses("invalid_request", "forbidden"),
      },
    }),
    async (c) => {
      const { cursor: before, limit, direction, status } = c.req.valid("query");
      const { businessId, dueAt } = c.var.business;
      const calls = await replica.history(before?.started_at ?? sharedDate(), (at) =>
        listCalls(forBusiness(at, businessId, dueAt), { direction, status, before, limit: limit + 1 }),
      );
      if (calls.length === 0 && !(await getBusiness(c.var.business))) throw noSuchBusiness();
      const last: Call | undefined = calls.length > limit ? calls[limit - 1] : undefined;
      return c.json({ data: calls.slice(0, limit).map(callView), next_cursor: last ? callCursorOf(last) : null }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/calls/{call_sid}",
      tags,
      summary: "Get a call",
      description: "Returns a call, whether active or ended, with its recordings.",
      middleware: [businessAccess(db, "calls:read")] as const,
      request: { params: callParams },
      responses: {
        200: { description: "The call", content: { "application/json": { schema: callDetail } } },
        ...problemResponses("forbidden"),
      },
    }),
    async (c) => {
      const { call_sid } = c.req.valid("param");
      const isSid = sidPattern.test(call_sid);
      const call = isSid ? await getCall(c.var.business, call_sid) : undefined;
      if (call) {
        const { businessId } = c.var.business;
        return c.json(
          callDetailView(call, (sid) => media.signer.recording(businessId, sid, signedUrlS)),
          200,
        );
      }
      const live = isSid ? await liveCalls.read(call_sid) : undefined;
      if (live?.business_id !== c.var.business.businessId) throw noSuch("call");
      return c.json({ ...liveCallView(call_sid, live), recordings: [] }, 200);
    },
  );

  return app;
}
