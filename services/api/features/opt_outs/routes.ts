import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";

import { addOptOut, getBusiness, listOptOuts, removeOptOut } from "../../../../lib/db/index.ts";
import { businessAccess, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { chat, chatDoc } from "../chats/chat.ts";
import { pageOf } from "../../http/page.ts";
import { bodyProblems, noSuch, problemResponses } from "../../http/problem.ts";
import { businessParams } from "../../http/params.ts";
import { newOptOut, optOutQuery, optOutSchema } from "./schemas.ts";
import { optOutView } from "./view.ts";

const tags = ["Broadcasts"];

export function optOutRoutes({ db }: ApiDependencies): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/opt_outs",
      tags,
      summary: "Create an opt-out",
      description:
        "Excludes a chat from every broadcast, including running ones. Other messages still reach it. Any name of " +
        "the account works: its phone number, another spelling of it, or its LID.",
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
      summary: "List opt-outs",
      description: "Returns the chats that are excluded from broadcasts, sorted by chat.",
      middleware: [businessAccess(db, "broadcasts:read")] as const,
      request: { params: businessParams, query: optOutQuery },
      responses: {
        200: { description: "A page of opt-outs", content: { "application/json": { schema: pageOf(optOutSchema) } } },
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
      summary: "Delete an opt-out",
      description: "Broadcasts reach the chat again.",
      middleware: [businessAccess(db, "broadcasts:write")] as const,
      request: {
        params: businessParams.extend({
          chat: z.string().openapi({
            param: { name: "chat", in: "path" },
            description: chatDoc.description,
            example: chatDoc.example,
          }),
        }),
      },
      responses: { 204: { description: "The opt-out was deleted" }, ...problemResponses("forbidden") },
    }),
    async (c) => {
      const jid = chat.safeParse(c.req.valid("param").chat).data;
      const removed = jid !== undefined && (await removeOptOut(c.var.business, jid));
      if (!removed) throw noSuch("opt-out");
      return c.body(null, 204);
    },
  );

  return app;
}
