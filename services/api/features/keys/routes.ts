import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { getBusiness, listKeys } from "../../../../lib/db/index.ts";
import { businessAccess, noSuchBusiness } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { KeyRing } from "../../http/auth/key_ring.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { answerOnce } from "../../http/idempotency.ts";
import { endKey, issueKey, replaceKey } from "./issue_key.ts";
import { idempotencyHeaders } from "../../http/idempotency_headers.ts";
import { createdKey, keyQuery, keySchema, keyView, newKey, rotation } from "./schemas.ts";
import { pageOf, pageThrough } from "../../http/page.ts";
import { bodyProblems, problemResponses } from "../../http/problem.ts";
import { businessParams, keyParams } from "../../http/params.ts";

const tags = ["Keys"];
const created = { "application/json": { schema: createdKey } };
/** The answer bears a key: no cache may keep it. */
const noStore = { "cache-control": "no-store" };

export function keyRoutes({ db }: ApiDependencies, keyRing: KeyRing): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/keys",
      tags,
      summary: "Create a key",
      description:
        "The key is in this answer and nowhere else. It has only scopes of the key that creates it, and expires no later. " +
        "A business has at most 100 working keys.",
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
      const issued = await answerOnce(c, c.var.business, { key, body, secret: true }, (scope) =>
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
      summary: "List the keys of a business, newest first",
      middleware: [businessAccess(db, "keys:read")] as const,
      request: { params: businessParams, query: keyQuery },
      responses: {
        200: { description: "A page", content: { "application/json": { schema: pageOf(keySchema) } } },
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
        "Replaces a key by one with the same name, scopes and final expiry. The old one works for the overlap, so that " +
        "programs can change over.",
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
      const issued = await answerOnce(c, business, { key, body, secret: true }, (scope) =>
        replaceKey(scope, principal, c.req.valid("param").key_id, body.overlap_s),
      );
      keyRing.forget(business.businessId);
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
        "It stops working within five seconds. Its scopes must be a subset of those of the key that revokes it.",
      middleware: [businessAccess(db, "keys:write")] as const,
      request: { params: keyParams },
      responses: { 204: { description: "Revoked" }, ...problemResponses("forbidden") },
    }),
    async (c) => {
      await endKey(c.var.business, c.var.principal, c.req.valid("param").key_id);
      keyRing.forget(c.var.business.businessId);
      return c.body(null, 204);
    },
  );

  return app;
}
