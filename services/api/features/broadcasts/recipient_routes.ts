import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { atomically, listRecipients } from "../../../../lib/db/index.ts";
import type { OutboxQuota } from "../../../../lib/quotas/index.ts";
import { businessAccess } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { createImportSlots } from "./import_slots.ts";
import { importTable, receiveTable } from "./recipient_table.ts";
import { parseList, withinQuota } from "./recipients.ts";
import { addedSchema, moreRecipients, recipientQuery, recipientSchema } from "./schemas.ts";
import { recipientView } from "./view.ts";
import { numberCursorOf } from "../../http/number_cursor.ts";
import { pageAnswer } from "../../http/page.ts";
import { bodyProblems, problemResponses } from "../../http/problem.ts";
import { findBroadcast } from "./find_broadcast.ts";
import { broadcastParams } from "../../http/params.ts";

const tags = ["Broadcasts"];
const json = { "application/json": { schema: addedSchema } };

export function broadcastRecipientRoutes(
  { db, metrics }: ApiDependencies,
  quota: OutboxQuota,
): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();
  const imports = createImportSlots(metrics);

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/broadcasts/{broadcast_id}/recipients",
      tags,
      summary: "Add recipients",
      description:
        "Adds recipients to a draft. Skips existing recipients, so that you can retry. Recipients count as queued " +
        "messages: if they exceed the business's quota, none is added.",
      middleware: [businessAccess(db, "broadcasts:write")] as const,
      request: {
        params: broadcastParams,
        body: { required: true, content: { "application/json": { schema: moreRecipients } } },
      },
      responses: {
        200: { description: "The number of added recipients", content: json },
        ...problemResponses(...bodyProblems, "forbidden", "conflict", "quota_exceeded"),
      },
    }),
    async (c) => {
      const broadcast = await findBroadcast(c.var.business, c.req.valid("param").broadcast_id);
      const { recipients } = c.req.valid("json");
      const added = await withinQuota(quota, c.var.business, (add) =>
        atomically(c.var.business, (inside) => add(inside, broadcast, parseList(recipients, broadcast.text))),
      );
      return c.json(added, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/broadcasts/{broadcast_id}/recipients/upload",
      tags,
      summary: "Upload recipients as CSV",
      description:
        "Adds the recipients of a CSV table to a draft. The first line names the columns: `to`, and one for each " +
        "field of the text. Other columns are ignored. The separator is comma, semicolon or tab, or the one of a " +
        "first line `sep=;`. The table must be UTF-8, UTF-16 with a byte order mark, or in the charset of the " +
        "Content-Type.\n\n" +
        "Invalid rows are skipped and reported. A table that cannot be parsed adds no recipients. Existing " +
        "recipients are skipped, so that you can retry. If the recipients exceed the quota of queued messages, none " +
        "is added.",
      middleware: [businessAccess(db, "broadcasts:write")] as const,
      request: {
        params: broadcastParams,
        body: {
          required: true,
          content: { "text/csv": { schema: z.string().openapi({ example: "to,name\n5511987654321,Ada\n" }) } },
        },
      },
      responses: {
        200: { description: "The number of added recipients", content: json },
        ...problemResponses(...bodyProblems, "forbidden", "conflict", "quota_exceeded"),
      },
    }),
    async (c) => {
      const broadcast = await findBroadcast(c.var.business, c.req.valid("param").broadcast_id);
      const added = await imports.run(broadcast.business_id, async () =>
        importTable(quota, c.var.business, broadcast, await receiveTable(c.req.raw)),
      );
      return c.json(added, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/broadcasts/{broadcast_id}/recipients",
      tags,
      summary: "List recipients",
      description: "Returns the recipients in the order in which they were added, with the status of each message.",
      middleware: [businessAccess(db, "broadcasts:read")] as const,
      request: { params: broadcastParams, query: recipientQuery },
      responses: {
        200: pageAnswer("A page of recipients", recipientSchema),
        ...problemResponses("invalid_request", "forbidden"),
      },
    }),
    async (c) => {
      const broadcast = await findBroadcast(c.var.business, c.req.valid("param").broadcast_id);
      const { cursor: after = 0, limit } = c.req.valid("query");
      const rows = await listRecipients(c.var.business, broadcast.id, { after, limit: limit + 1 });
      const last = rows.length > limit ? rows[limit - 1] : undefined;
      return c.json(
        { data: rows.slice(0, limit).map(recipientView), next_cursor: last ? numberCursorOf(last.place) : null },
        200,
      );
    },
  );

  return app;
}
