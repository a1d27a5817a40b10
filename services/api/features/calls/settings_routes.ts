import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../../../lib/core/errors.ts";
import { getBusiness, getCallSettings, putCallSettings } from "../../../../lib/db/index.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { businessAccess, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import { businessParams } from "../../http/params.ts";
import { bodyProblems, problemResponses } from "../../http/problem.ts";
import { adminOnlySettings, callSettings, callSettingsView, newCallSettings } from "./settings.ts";

const tags = ["Calls"];
const json = { "application/json": { schema: callSettings } };

export function callSettingsRoutes({ db }: Pick<ApiDependencies, "db">): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/call_settings",
      tags,
      summary: "Get call settings",
      middleware: [businessAccess(db, "calls:read")] as const,
      request: { params: businessParams },
      responses: { 200: { description: "The settings", content: json }, ...problemResponses("forbidden") },
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
      summary: "Replace call settings",
      description: "Replaces the settings; omitted limits keep their values. Applies from the next call on.",
      middleware: [businessAccess(db, "calls:write")] as const,
      request: {
        params: businessParams,
        body: { required: true, content: { "application/json": { schema: newCallSettings } } },
      },
      responses: {
        200: { description: "The new settings", content: json },
        ...problemResponses(...bodyProblems, "forbidden"),
      },
    }),
    async (c) => {
      const settings = c.req.valid("json");
      const setting = adminOnlySettings.find((name) => settings[name] !== undefined);
      if (setting !== undefined && c.var.principal.kind !== "admin") {
        throw new AppError("forbidden", `Setting ${setting} requires an admin key. Omit the field.`);
      }
      if (!(await getBusiness(c.var.business))) throw noSuchBusiness();
      return c.json(callSettingsView(await putCallSettings(c.var.business, settings)), 200);
    },
  );

  return app;
}
