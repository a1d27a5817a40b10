import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { discardQuarantined, getQuarantined, listQuarantine, requestReplay } from "../../../../lib/db/index.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import type { WakeUps } from "../../backend/wake_ups.ts";
import { adminOnly, platformScope } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import { pageAnswer, pageThrough } from "../../http/page.ts";
import { parseId } from "../../http/params.ts";
import { noSuch, problemResponses } from "../../http/problem.ts";
import {
  quarantineContentParams,
  quarantinedContentSchema,
  quarantinedSchema,
  quarantineParams,
  quarantineQuery,
  replayQuery,
  replayRequestedSchema,
} from "./schemas.ts";
import { quarantinedView } from "./view.ts";

const tags = ["Administration"];
const maxEntryBytes = 1_000_000;

export function quarantineRoutes({ db }: Pick<ApiDependencies, "db">, wakeUps: WakeUps): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  app.openapi(
    createRoute({
      method: "get",
      path: "/admin/quarantine",
      tags,
      summary: "List quarantined entries",
      description:
        "Returns the entries of shards' journals that could not be decoded or written, the newest first, without " +
        "their contents. They are kept for 90 days.",
      middleware: [adminOnly] as const,
      request: { query: quarantineQuery },
      responses: {
        200: pageAnswer("A page of quarantined entries", quarantinedSchema),
        ...problemResponses("invalid_request"),
      },
    }),
    async (c) => {
      const { cursor, limit, ...filter } = c.req.valid("query");
      const read = (range: { before: string | undefined; limit: number }) =>
        listQuarantine(platformScope(db, c), { ...filter, ...range });
      return c.json(await pageThrough({ cursor, limit }, read, quarantinedView), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/admin/businesses/{business_id}/quarantine/{entry_id}",
      tags,
      summary: "Get a quarantined entry",
      description:
        "Returns an entry of a business with its content. The audit counts it as a read of the business's data.",
      middleware: [adminOnly] as const,
      request: { params: quarantineContentParams },
      responses: {
        200: { description: "The entry", content: { "application/json": { schema: quarantinedContentSchema } } },
        ...problemResponses(),
      },
    }),
    async (c) => {
      const params = c.req.valid("param");
      const [business_id, id] = [parseId(params.business_id), parseId(params.entry_id)];
      const row =
        business_id === undefined || id === undefined
          ? undefined
          : await getQuarantined(platformScope(db, c), { business_id, id, maxBytes: maxEntryBytes });
      if (!row) throw noSuch("quarantined entry");
      return c.json({ ...quarantinedView(row), entry: row.entry === null ? null : JSON.parse(row.entry) }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/admin/quarantine/{entry_id}/replay",
      tags,
      summary: "Replay a quarantined entry",
      description:
        "Requests that the entry be written again. It leaves the quarantine once it is written; if it is refused " +
        "again, it stays with the new reason.",
      middleware: [adminOnly] as const,
      request: { params: quarantineParams },
      responses: {
        202: {
          description: "The replay is pending",
          content: { "application/json": { schema: replayRequestedSchema } },
        },
        ...problemResponses(),
      },
    }),
    async (c) => {
      const id = parseId(c.req.valid("param").entry_id);
      const requested = id === undefined ? 0 : await requestReplay(platformScope(db, c), { id });
      if (requested === 0) throw noSuch("quarantined entry");
      wakeUps.replayQuarantine();
      return c.json({ requested }, 202);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/admin/quarantine/replay",
      tags,
      summary: "Replay quarantined entries",
      description: "Requests that all entries that match the query be written again.",
      middleware: [adminOnly] as const,
      request: { query: replayQuery },
      responses: {
        202: {
          description: "The replays are pending",
          content: { "application/json": { schema: replayRequestedSchema } },
        },
        ...problemResponses("invalid_request"),
      },
    }),
    async (c) => {
      const requested = await requestReplay(platformScope(db, c), c.req.valid("query"));
      if (requested > 0) wakeUps.replayQuarantine();
      return c.json({ requested }, 202);
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/admin/quarantine/{entry_id}",
      tags,
      summary: "Discard a quarantined entry",
      description: "Deletes the entry without writing it.",
      middleware: [adminOnly] as const,
      request: { params: quarantineParams },
      responses: { 204: { description: "The entry was deleted" }, ...problemResponses() },
    }),
    async (c) => {
      const id = parseId(c.req.valid("param").entry_id);
      if (id === undefined || !(await discardQuarantined(platformScope(db, c), id))) throw noSuch("quarantined entry");
      return c.body(null, 204);
    },
  );

  return app;
}
