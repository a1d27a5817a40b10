import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { sharedDate } from "../../../../lib/core/time.ts";
import { uuidv7Time } from "../../../../lib/core/ids.ts";
import { listAuditEvents, listAuditReads } from "../../../../lib/db/index.ts";
import { adminOnly, platformScope } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { auditEventSchema, auditQuery, auditReadSchema } from "./schemas.ts";
import { auditEventView, auditReadView } from "./view.ts";
import { pageAnswer, pageOf, pageThrough } from "../../http/page.ts";
import { problemResponses } from "../../http/problem.ts";

export function auditRoutes({ db, replica }: ApiDependencies): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  app.openapi(
    createRoute({
      method: "get",
      path: "/admin/audit",
      tags: ["Administration"],
      summary: "List audited changes",
      description: "Returns the changes made with admin keys, the newest first.",
      middleware: [adminOnly] as const,
      request: { query: auditQuery },
      responses: {
        200: pageAnswer("A page of changes", auditEventSchema),
        ...problemResponses("invalid_request"),
      },
    }),
    async (c) => {
      const { business_id, key_id, ...range } = c.req.valid("query");
      const upTo = range.cursor === undefined ? sharedDate() : new Date(uuidv7Time(range.cursor));
      const read = (part: { before: string | undefined; limit: number }) =>
        replica.history(upTo, (at) => listAuditEvents(platformScope(at, c), { business_id, key_id, ...part }));
      return c.json(await pageThrough(range, read, auditEventView), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/admin/audit/reads",
      tags: ["Administration"],
      summary: "List audited reads",
      description:
        "Returns how often admin keys read data of each business, one row per key, business and hour, the newest " +
        "first. Console sessions count as the key that signed in.",
      middleware: [adminOnly] as const,
      request: { query: auditQuery },
      responses: {
        200: { description: "A page of reads", content: { "application/json": { schema: pageOf(auditReadSchema) } } },
        ...problemResponses("invalid_request"),
      },
    }),
    async (c) => {
      const { business_id, key_id, ...range } = c.req.valid("query");
      const read = (part: { before: string | undefined; limit: number }) =>
        listAuditReads(platformScope(db, c), { business_id, key_id, ...part });
      return c.json(await pageThrough(range, read, auditReadView), 200);
    },
  );

  return app;
}
