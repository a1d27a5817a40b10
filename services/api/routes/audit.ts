import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { uuidv7Time } from "../../../lib/core/ids.ts";
import { forPlatform, listAuditEvents } from "../../../lib/db/index.ts";
import { adminOnly } from "../auth/guards.ts";
import type { Authenticated } from "../auth/guards.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { auditEventSchema, auditEventView, auditQuery } from "../schemas/audit.ts";
import { pageOf, pageThrough } from "../schemas/page.ts";
import { problemResponses } from "../schemas/problem.ts";

export function auditRoutes({ replica }: ApiDependencies): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  app.openapi(
    createRoute({
      method: "get",
      path: "/admin/audit",
      tags: ["Administration"],
      summary: "List what was changed with admin keys, newest first",
      middleware: [adminOnly] as const,
      request: { query: auditQuery },
      responses: {
        200: { description: "A page", content: { "application/json": { schema: pageOf(auditEventSchema) } } },
        ...problemResponses("invalid_request"),
      },
    }),
    async (c) => {
      const { business_id, key_id, ...range } = c.req.valid("query");
      const upTo = range.cursor === undefined ? new Date() : new Date(uuidv7Time(range.cursor));
      const read = (part: { before: string | undefined; limit: number }) =>
        replica.history(upTo, (db) => listAuditEvents(forPlatform(db), { business_id, key_id, ...part }));
      return c.json(await pageThrough(range, read, auditEventView), 200);
    },
  );

  return app;
}
