import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { AppError } from "../../../../lib/core/errors.ts";
import { addOptOut, getBusiness, listOptOuts, removeOptOut } from "../../../../lib/db/index.ts";
import { businessAccess, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { newOptOut, optOutSchema, optOutView } from "../broadcasts/schemas.ts";
import { chat } from "../chats/schemas.ts";
import { pageOf } from "../../http/page.ts";
import { bodyProblems, problemResponses } from "../../http/problem.ts";
import { businessParams } from "../../http/params.ts";

const tags = ["Broadcasts"];

/** The cursor is the chat of the last row: it rises. */
const query = z.object({
  cursor: z.string().max(200).optional().openapi({ description: "`next_cursor` of the page before." }),
  limit: z.coerce.number().int().min(1).max(200).default(50).openapi({ type: "integer", description: "Rows a page." }),
});

export function optOutRoutes({ db }: ApiDependencies): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/opt_outs",
      tags,
      summary: "Leave somebody out of every broadcast",
      description: "Also of those under way. Any other message still reaches them.",
      middleware: [businessAccess(db, "broadcasts:write")] as const,
      request: {
        params: businessParams,
        body: { required: true, content: { "application/json": { schema: newOptOut } } },
      },
      responses: {
        200: { description: "The opt-out", content: { "application/json": { schema: optOutSchema } } },
        ...problemResponses(...bodyProblems, "forbidden"),
      },
    }),
    async (c) => {
      const optOut = await addOptOut(c.var.business, c.req.valid("json").chat);
      if (!optOut) throw noSuchBusiness();
      return c.json(optOutView(optOut), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/opt_outs",
      tags,
      summary: "List who is left out of broadcasts",
      middleware: [businessAccess(db, "broadcasts:read")] as const,
      request: { params: businessParams, query },
      responses: {
        200: { description: "A page", content: { "application/json": { schema: pageOf(optOutSchema) } } },
        ...problemResponses("invalid_request", "forbidden"),
      },
    }),
    async (c) => {
      const { cursor, limit } = c.req.valid("query");
      const after = cursor === undefined ? "" : Buffer.from(cursor, "base64url").toString().replaceAll("\u0000", "");
      const rows = await listOptOuts(c.var.business, { after, limit: limit + 1 });
      if (rows.length === 0 && !(await getBusiness(c.var.business))) throw noSuchBusiness();
      const last = rows.length > limit ? rows[limit - 1] : undefined;
      const next_cursor = last ? Buffer.from(last.chat).toString("base64url") : null;
      return c.json({ data: rows.slice(0, limit).map(optOutView), next_cursor }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/businesses/{business_id}/opt_outs/{chat}",
      tags,
      summary: "Let broadcasts reach somebody again",
      middleware: [businessAccess(db, "broadcasts:write")] as const,
      request: {
        params: businessParams.extend({
          chat: z.string().openapi({
            param: { name: "chat", in: "path" },
            description: "A number or a JID.",
            example: "5511987654321",
          }),
        }),
      },
      responses: { 204: { description: "Done" }, ...problemResponses("forbidden") },
    }),
    async (c) => {
      const person = chat.safeParse(c.req.valid("param").chat).data;
      const removed = person !== undefined && (await removeOptOut(c.var.business, person));
      if (!removed) throw new AppError("not_found", "There is no such opt-out.");
      return c.body(null, 204);
    },
  );

  return app;
}
