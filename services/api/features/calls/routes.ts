import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { sharedDate } from "../../../../lib/core/time.ts";
import { AppError } from "../../../../lib/core/errors.ts";
import {
  forBusiness,
  getBusiness,
  getCall,
  getCallSettings,
  listCalls,
  putCallSettings,
} from "../../../../lib/db/index.ts";
import type { Call } from "../../../../lib/db/index.ts";
import { businessAccess, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import {
  callCursorOf,
  callDetail,
  callDetailView,
  callParam,
  callQuery,
  callSchema,
  callSettings,
  callSettingsView,
  callView,
  liveCallView,
  newCall,
  newCallSettings,
  placedCall,
} from "./schemas.ts";
import { idempotencyHeaders } from "../../http/idempotency_headers.ts";
import { mediaLinksS } from "../media/schemas.ts";
import { pageOf } from "../../http/page.ts";
import { bodyProblems, problemResponses } from "../../http/problem.ts";
import { businessParams } from "../../http/params.ts";

const tags = ["Calls"];
const settingsJson = { "application/json": { schema: callSettings } };
const sidForm = /^CA[0-9a-f]{32}$/;

/** Settings that protect the platform from a business, and so are not the business's to set. */
const adminLimits = ["max_concurrent", "allowed_destinations", "max_per_day"] as const;

/** Calls in progress of one business that are told of at once. */
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
      summary: "Call somebody",
      description:
        "From a number of the business; whoever answers talks to its voice agent. While as many calls are in progress as there may be, the answer is 503 with Retry-After.",
      middleware: [businessAccess(db, "calls:write")] as const,
      request: {
        params: businessParams,
        headers: idempotencyHeaders,
        body: { required: true, content: { "application/json": { schema: newCall } } },
      },
      responses: {
        202: {
          description: "Given to the carrier; follow it by its sid",
          content: { "application/json": { schema: placedCall } },
        },
        ...problemResponses(...bodyProblems, "forbidden", "conflict", "idempotency_mismatch", "upstream_timeout"),
      },
    }),
    async (c) => {
      if (!(await getBusiness(c.var.business))) throw noSuchBusiness();
      const order = { business_id: c.var.business.businessId, ...c.req.valid("json") };
      const { call_sid, status, replayed } = await service.place(order, c.req.valid("header")["idempotency-key"]);
      if (replayed) c.header("idempotency-replayed", "true");
      return c.json({ call_sid, status }, 202);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/calls/active",
      tags,
      summary: "List calls in progress, the latest to begin first",
      description: `The latest ${maxLive} of them.`,
      middleware: [businessAccess(db, "calls:read")] as const,
      request: { params: businessParams },
      responses: {
        200: {
          description: "Those in progress now",
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
      summary: "List calls that have ended, the latest to begin first",
      description:
        "Those in progress are under /calls/active; of both the events tell: call.started, call.resumed, call.ended.",
      middleware: [businessAccess(db, "calls:read")] as const,
      request: { params: businessParams, query: callQuery },
      responses: {
        200: { description: "A page", content: { "application/json": { schema: pageOf(callSchema) } } },
        ...problemResponses("invalid_request", "forbidden"),
      },
    }),
    async (c) => {
      const { cursor: before, limit, direction, status } = c.req.valid("query");
      const { businessId } = c.var.business;
      const calls = await replica.history(before?.started_at ?? sharedDate(), (at) =>
        listCalls(forBusiness(at, businessId), { direction, status, before, limit: limit + 1 }),
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
      summary: "Get a call, also one in progress, and its recordings",
      middleware: [businessAccess(db, "calls:read")] as const,
      request: { params: businessParams.extend({ call_sid: callParam }) },
      responses: {
        200: { description: "The call", content: { "application/json": { schema: callDetail } } },
        ...problemResponses("forbidden"),
      },
    }),
    async (c) => {
      const { call_sid } = c.req.valid("param");
      const known = sidForm.test(call_sid);
      const call = known ? await getCall(c.var.business, call_sid) : undefined;
      if (call) {
        const { businessId } = c.var.business;
        return c.json(
          callDetailView(call, (sid) => media.signer.recording(businessId, sid, mediaLinksS)),
          200,
        );
      }
      const live = known ? await liveCalls.read(call_sid) : undefined;
      if (live?.business_id !== c.var.business.businessId) throw new AppError("not_found", "There is no such call.");
      return c.json({ ...liveCallView(call_sid, live), recordings: [] }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/call_settings",
      tags,
      summary: "Get what the business wants done with its calls",
      middleware: [businessAccess(db, "calls:read")] as const,
      request: { params: businessParams },
      responses: { 200: { description: "The settings", content: settingsJson }, ...problemResponses("forbidden") },
    }),
    async (c) => {
      const settings = await getCallSettings(c.var.business);
      if (!settings && !(await getBusiness(c.var.business))) throw noSuchBusiness();
      return c.json(callSettingsView(settings), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "put",
      path: "/businesses/{business_id}/call_settings",
      tags,
      summary: "Set what the business wants done with its calls",
      description: "Replaces what was set, except for a limit that is left out; counts from the next call on.",
      middleware: [businessAccess(db, "calls:write")] as const,
      request: {
        params: businessParams,
        body: { required: true, content: { "application/json": { schema: newCallSettings } } },
      },
      responses: {
        200: { description: "The settings as they are now", content: settingsJson },
        ...problemResponses(...bodyProblems, "forbidden"),
      },
    }),
    async (c) => {
      const settings = c.req.valid("json");
      const limit = adminLimits.find((name) => settings[name] !== undefined);
      if (limit !== undefined && c.var.principal.kind !== "admin") {
        throw new AppError("forbidden", `Only an admin key sets ${limit}; leave it out.`);
      }
      if (!(await getBusiness(c.var.business))) throw noSuchBusiness();
      return c.json(callSettingsView(await putCallSettings(c.var.business, settings)), 200);
    },
  );

  return app;
}
