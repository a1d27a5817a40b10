import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { uuidv7 } from "../../../../lib/core/ids.ts";
import {
  deleteBusiness,
  getBusiness,
  insertBusiness,
  listBusinesses,
  updateBusiness,
} from "../../../../lib/db/index.ts";
import type { Business } from "../../../../lib/db/index.ts";
import { adminOnly, businessAccess, noSuchBusiness, platformScope } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { Authenticator } from "../../http/auth/authenticator.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { assertIfMatch, etagHeader, etagOf, ifMatchHeaders } from "../../http/etag.ts";
import { idempotencyHeaders, runIdempotent } from "../../http/idempotency.ts";
import { businessChanges, businessQuery, businessSchema, newBusiness } from "./schemas.ts";
import { configureSession } from "./configure_session.ts";
import { businessView } from "./view.ts";
import { pageAnswer, pageThrough } from "../../http/page.ts";
import { bodyProblems, problemResponses } from "../../http/problem.ts";
import { businessParams } from "../../http/params.ts";

const tags = ["Businesses"];
const json = { "application/json": { schema: businessSchema } };

export function businessRoutes(
  { db, router, shards }: ApiDependencies,
  authenticator: Authenticator,
): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses",
      tags,
      summary: "Create a business",
      description: "Requires an admin key.",
      middleware: [adminOnly] as const,
      request: {
        headers: idempotencyHeaders,
        body: { required: true, content: { "application/json": { schema: newBusiness } } },
      },
      responses: {
        201: { description: "The business", content: json, headers: etagHeader },
        ...problemResponses(...bodyProblems, "idempotency_mismatch"),
      },
    }),
    async (c) => {
      const body = c.req.valid("json");
      const key = c.req.valid("header")["idempotency-key"];
      const view = await runIdempotent(c, platformScope(db, c), { key, body }, async (scope) =>
        businessView(await insertBusiness(scope, { id: uuidv7(), ...body })),
      );
      return c.json(view, 201, { etag: etagOf(view) });
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses",
      tags,
      summary: "List businesses",
      description: "Returns the newest businesses first. Requires an admin key.",
      middleware: [adminOnly] as const,
      request: { query: businessQuery },
      responses: {
        200: pageAnswer("A page of businesses", businessSchema),
        ...problemResponses("invalid_request"),
      },
    }),
    async (c) => {
      const { name, ...part } = c.req.valid("query");
      const page = await pageThrough(
        part,
        (range) => listBusinesses(platformScope(db, c), { name, ...range }),
        businessView,
      );
      return c.json(page, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}",
      tags,
      summary: "Get a business",
      middleware: [businessAccess(db, "business:read")] as const,
      request: { params: businessParams },
      responses: {
        200: { description: "The business", content: json, headers: etagHeader },
        ...problemResponses("forbidden"),
      },
    }),
    async (c) => {
      const business = await getBusiness(c.var.business);
      if (!business) throw noSuchBusiness();
      const view = businessView(business);
      return c.json(view, 200, { etag: etagOf(view) });
    },
  );

  app.openapi(
    createRoute({
      method: "patch",
      path: "/businesses/{business_id}",
      tags,
      summary: "Update a business",
      description:
        "Changes the given fields. A change of `receive_statuses` answers 503 while the business's shard is " +
        "unreachable, but is stored: repeat the request, or connect the session again, to apply it.",
      middleware: [businessAccess(db, "business:write")] as const,
      request: {
        params: businessParams,
        headers: ifMatchHeaders,
        body: { required: true, content: { "application/json": { schema: businessChanges } } },
      },
      responses: {
        200: { description: "The updated business", content: json, headers: etagHeader },
        ...problemResponses(...bodyProblems, "forbidden", "precondition_failed", "upstream_timeout"),
      },
    }),
    async (c) => {
      const ifMatch = c.req.valid("header")["if-match"];
      const check = (present: Business) => assertIfMatch(ifMatch, businessView(present));
      const changes = c.req.valid("json");
      const business = await updateBusiness(c.var.business, changes, check);
      if (!business) throw noSuchBusiness();
      if (changes.receive_statuses !== undefined) await configureSession({ router, shards }, c.var.business, business);
      const view = businessView(business);
      return c.json(view, 200, { etag: etagOf(view) });
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/businesses/{business_id}",
      tags,
      summary: "Delete a business",
      description:
        "Logs out of WhatsApp, revokes the business's keys and fails its queued messages. The business answers 404 " +
        "from then on. Its data is removed after 30 days, unless the operator has set another period. Requires an " +
        "admin key.",
      middleware: [adminOnly, businessAccess(db, "business:write")] as const,
      request: { params: businessParams },
      responses: { 204: { description: "Deleted" }, ...problemResponses("upstream_timeout") },
    }),
    async (c) => {
      const business = await getBusiness(c.var.business);
      if (!business) throw noSuchBusiness();
      // Logs out first: no request could stop the session of a deleted business.
      if (business.whatsapp_shard !== null) await shards.logout(router.locate(business), business.id);
      await deleteBusiness(c.var.business);
      authenticator.invalidate(business.id);
      return c.body(null, 204);
    },
  );

  return app;
}
