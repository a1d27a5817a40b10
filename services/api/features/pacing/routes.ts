import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import type { z } from "@hono/zod-openapi";
import { AppError } from "../../../../lib/core/errors.ts";
import { getBusiness, releasePaced, setPacing } from "../../../../lib/db/index.ts";
import type { Business } from "../../../../lib/db/index.ts";
import { businessAccess, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { isShardUnreachable } from "../sessions/live_session.ts";
import { pacingChange, pacingSchema } from "./schemas.ts";
import { bodyProblems, problemResponses } from "../../http/problem.ts";
import type { WakeUps } from "../../backend/wake_ups.ts";
import { businessParams } from "../../http/params.ts";

const tags = ["WhatsApp"];
const path = "/businesses/{business_id}/whatsapp/pacing";
const json = { "application/json": { schema: pacingSchema } };

/** Limits of how fast a business's account may send. */
export function pacingRoutes({ db, router, pacing }: ApiDependencies, wakeUps: WakeUps): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  const view = async (business: Business): Promise<z.infer<typeof pacingSchema>> => {
    const settings = business.pacing ?? {};
    if (business.whatsapp_shard === null) return { settings, limits: null, state: null };
    try {
      return { settings, ...(await pacing.view(router.locate(business), business.id, business.pacing)) };
    } catch (error) {
      const absent = error instanceof AppError && error.code === "not_found";
      if (!absent && !isShardUnreachable(error)) throw error;
      return { settings, limits: null, state: null };
    }
  };

  app.openapi(
    createRoute({
      method: "get",
      path,
      tags,
      summary: "Get the pacing",
      description: "Returns the account's sending limits and their current use.",
      middleware: [businessAccess(db, "whatsapp:read")] as const,
      request: { params: businessParams },
      responses: { 200: { description: "The pacing", content: json }, ...problemResponses("forbidden") },
    }),
    async (c) => {
      const business = await getBusiness(c.var.business);
      if (!business) throw noSuchBusiness();
      return c.json(await view(business), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "put",
      path,
      tags,
      summary: "Replace the pacing settings",
      description: "Replaces the business's sending limits. Applies from the next message on.",
      middleware: [businessAccess(db, "whatsapp:write")] as const,
      request: {
        params: businessParams,
        body: { required: true, content: { "application/json": { schema: pacingChange } } },
      },
      responses: {
        200: { description: "The new pacing", content: json },
        ...problemResponses(...bodyProblems, "forbidden"),
      },
    }),
    async (c) => {
      const settings = c.req.valid("json");
      const business = await setPacing(c.var.business, Object.keys(settings).length > 0 ? settings : null);
      if (!business) throw noSuchBusiness();
      wakeUps.outboxUnblocked(business.id);
      return c.json(await view(business), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: `${path}/stops`,
      tags,
      summary: "Lift a sending stop",
      description:
        "Lets an account send again after WhatsApp refused its messages. Check the phone first: an account that " +
        "keeps sending despite refusals may be banned.",
      middleware: [businessAccess(db, "whatsapp:write")] as const,
      request: { params: businessParams },
      responses: {
        204: { description: "The account may send again" },
        ...problemResponses("forbidden", "conflict", "upstream_timeout"),
      },
    }),
    async (c) => {
      const business = await getBusiness(c.var.business);
      if (!business) throw noSuchBusiness();
      if (business.whatsapp_shard === null)
        throw new AppError("conflict", "This business has no WhatsApp session. Connect it first.");
      await pacing.resume(router.locate(business), business.id);
      await releasePaced(c.var.business);
      wakeUps.outboxUnblocked(business.id);
      return c.body(null, 204);
    },
  );

  return app;
}
