import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { adminOnly } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { callLoadSchema, newCallLimit } from "./schemas.ts";
import { bodyProblems, problemResponses } from "../../http/problem.ts";

const tags = ["Administration"];
const json = { "application/json": { schema: callLoadSchema } };

export function adminCallRoutes({ liveCalls }: Pick<ApiDependencies, "liveCalls">): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  const load = async () => {
    const [active, max_concurrent] = await Promise.all([liveCalls.active(), liveCalls.limit()]);
    return { active, max_concurrent };
  };

  app.openapi(
    createRoute({
      method: "get",
      path: "/admin/calls",
      tags,
      summary: "Get the call load",
      description: "Returns the number of calls in progress and the limit, over all businesses and replicas.",
      middleware: [adminOnly] as const,
      responses: { 200: { description: "The call load", content: json }, ...problemResponses() },
    }),
    async (c) => c.json(await load(), 200),
  );

  app.openapi(
    createRoute({
      method: "put",
      path: "/admin/calls/limit",
      tags,
      summary: "Set the concurrent-call limit",
      description: "Applies from the next call on, without a restart. Calls in progress continue.",
      middleware: [adminOnly] as const,
      request: { body: { required: true, content: { "application/json": { schema: newCallLimit } } } },
      responses: {
        200: { description: "The call load with the new limit", content: json },
        ...problemResponses(...bodyProblems),
      },
    }),
    async (c) => {
      const { max_concurrent } = c.req.valid("json");
      await liveCalls.setLimit(max_concurrent);
      return c.json({ active: await liveCalls.active(), max_concurrent }, 200);
    },
  );

  return app;
}
