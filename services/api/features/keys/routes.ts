import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { getBusiness, listKeys } from "../../../../lib/db/index.ts";
import { businessAccess, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { Authenticator } from "../../http/auth/authenticator.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { idempotencyHeaders, runIdempotent } from "../../http/idempotency.ts";
import { issueKey, removeKey, replaceKey } from "./issue_key.ts";
import { createdKey, keyQuery, keySchema, newKey, rotation } from "./schemas.ts";
import { keyView } from "./view.ts";
import { pageOf, pageThrough } from "../../http/page.ts";
import { bodyProblems, problemResponses } from "../../http/problem.ts";
import { businessParams, keyParams } from "../../http/params.ts";

const tags = ["Keys"];
const created = { "application/json": { schema: createdKey } };
/** The response contains a key and must not be cached. */
const noStore = { "cache-control": "no-store" };

export function keyRoutes({ db }: ApiDependencies, authenticator: Authenticator): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/keys",
      tags,
      summary: "Create a key",
      description:
        "Only this response contains the whole key. The new key may have only scopes of the key that creates it, and " +
        "may not expire later. A business may have up to 100 active keys.",
      middleware: [businessAccess(db, "keys:write")] as const,
      request: {
        params: businessParams,
        headers: idempotencyHeaders,
        body: { required: true, content: { "application/json": { schema: newKey } } },
      },
      responses: {
        201: { description: "The new key", content: created },
        ...problemResponses(...bodyProblems, "forbidden", "conflict", "idempotency_mismatch"),
      },
    }),
    async (c) => {
      const body = c.req.valid("json");
      const key = c.req.valid("header")["idempotency-key"];
      const issued = await runIdempotent(c, c.var.business, { key, body, secret: true }, (scope) =>
        issueKey(scope, c.var.principal, body),
      );
      return c.json(issued, 201, noStore);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/keys",
      tags,
      summary: "List keys",
      description: "Returns the newest keys first.",
      middleware: [businessAccess(db, "keys:read")] as const,
      request: { params: businessParams, query: keyQuery },
      responses: {
        200: { description: "A page of keys", content: { "application/json": { schema: pageOf(keySchema) } } },
        ...problemResponses("invalid_request", "forbidden"),
      },
    }),
    async (c) => {
      const { prefix, ...range } = c.req.valid("query");
      const page = await pageThrough(range, (part) => listKeys(c.var.business, { prefix, ...part }), keyView);
      if (page.data.length === 0 && !(await getBusiness(c.var.business))) throw noSuchBusiness();
      return c.json(page, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/keys/{key_id}/rotate",
      tags,
      summary: "Rotate a key",
      description:
        "Replaces a key with a new one that has the same name, scopes and expiry. The old key keeps working for " +
        "`overlap_s`, so that programs can switch over.",
      middleware: [businessAccess(db, "keys:write")] as const,
      request: {
        params: keyParams,
        headers: idempotencyHeaders,
        body: { required: true, content: { "application/json": { schema: rotation } } },
      },
      responses: {
        201: { description: "The new key", content: created },
        ...problemResponses(...bodyProblems, "forbidden", "conflict", "idempotency_mismatch"),
      },
    }),
    async (c) => {
      const { principal, business } = c.var;
      const body = c.req.valid("json");
      const key = c.req.valid("header")["idempotency-key"];
      const issued = await runIdempotent(c, business, { key, body, secret: true }, (scope) =>
        replaceKey(scope, principal, c.req.valid("param").key_id, body.overlap_s),
      );
      authenticator.invalidate(business.businessId);
      return c.json(issued, 201, noStore);
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/businesses/{business_id}/keys/{key_id}",
      tags,
      summary: "Revoke a key",
      description:
        "The key stops working within five seconds. Its scopes must be a subset of the scopes of the key that " +
        "revokes it.",
      middleware: [businessAccess(db, "keys:write")] as const,
      request: { params: keyParams },
      responses: { 204: { description: "Revoked" }, ...problemResponses("forbidden") },
    }),
    async (c) => {
      await removeKey(c.var.business, c.var.principal, c.req.valid("param").key_id);
      authenticator.invalidate(c.var.business.businessId);
      return c.body(null, 204);
    },
  );

  return app;
}
