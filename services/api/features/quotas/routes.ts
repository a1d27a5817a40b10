import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import type { z } from "@hono/zod-openapi";
import { getQuotas, setQuotas } from "../../../../lib/db/index.ts";
import type { BusinessScope } from "../../../../lib/db/index.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { adminOnly, businessAccess, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import { businessParams } from "../../http/params.ts";
import { bodyProblems, problemResponses } from "../../http/problem.ts";
import type { ReadQuotas } from "./quotas.ts";
import { newQuotas, quotasSchema } from "./schemas.ts";

const json = { "application/json": { schema: quotasSchema } };

export function quotaRoutes({ db }: Pick<ApiDependencies, "db">, read: ReadQuotas): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  const view = async (scope: BusinessScope): Promise<z.infer<typeof quotasSchema>> => {
    const own = await getQuotas(scope);
    if (own === undefined) throw noSuchBusiness();
    const { used, limits } = await read(scope);
    const use = (name: keyof typeof limits) => ({
      limit: limits[name],
      used: used[name],
      is_default: own[name] === undefined,
    });
    return {
      media_bytes: use("media_bytes"),
      queued_messages: use("queued_messages"),
      queued_bytes: use("queued_bytes"),
    };
  };

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/quotas",
      tags: ["Businesses"],
      summary: "Get the quotas",
      description: "Returns the limit and the use of each quota.",
      middleware: [businessAccess(db, "business:read")] as const,
      request: { params: businessParams },
      responses: { 200: { description: "The quotas", content: json }, ...problemResponses("forbidden") },
    }),
    async (c) => c.json(await view(c.var.business), 200),
  );

  app.openapi(
    createRoute({
      method: "put",
      path: "/admin/businesses/{business_id}/quotas",
      tags: ["Administration"],
      summary: "Replace the quotas",
      description: "Replaces the business's own quotas. Every process applies them within ten seconds.",
      middleware: [adminOnly, businessAccess(db, "business:write")] as const,
      request: {
        params: businessParams,
        body: { required: true, content: { "application/json": { schema: newQuotas } } },
      },
      responses: { 200: { description: "The new quotas", content: json }, ...problemResponses(...bodyProblems) },
    }),
    async (c) => {
      const own = Object.entries(c.req.valid("json")).filter(([, limit]) => limit !== null);
      if (!(await setQuotas(c.var.business, Object.fromEntries(own)))) throw noSuchBusiness();
      return c.json(await view(c.var.business), 200);
    },
  );

  return app;
}
