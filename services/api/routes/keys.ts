import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../../lib/core/errors.ts";
import { atomically, getBusiness, listKeys, revokeKey } from "../../../lib/db/index.ts";
import { businessAccess, noSuchBusiness } from "../auth/guards.ts";
import type { Authenticated } from "../auth/guards.ts";
import type { KeyRing } from "../auth/key_ring.ts";
import { mayUse } from "../auth/principal.ts";
import type { Principal, Scope } from "../auth/principal.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { answerOnce } from "../idempotency.ts";
import { issueKey, noSuchKey, replaceKey } from "../issue_key.ts";
import { idempotencyHeaders } from "../schemas/idempotency.ts";
import { createdKey, keyQuery, keySchema, keyView, newKey, rotation } from "../schemas/key.ts";
import { pageOf, pageThrough } from "../schemas/page.ts";
import { bodyProblems, problemResponses } from "../schemas/problem.ts";
import { businessParams, keyParams, knownForm } from "./params.ts";

const tags = ["Keys"];
const created = { "application/json": { schema: createdKey } };
/** The answer bears a key: no cache may keep it. */
const noStore = { "cache-control": "no-store" };

function refuseBeyond(principal: Principal, scopes: readonly string[]): void {
  const beyond = scopes.filter((scope) => !mayUse(principal, scope as Scope));
  if (beyond.length > 0) throw new AppError("forbidden", `This key lacks ${beyond.join(", ")} and so cannot give it to another.`);
}

export function keyRoutes({ db }: ApiDependencies, keyRing: KeyRing): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  app.openapi(
    createRoute({
      method: "post",
      path: "/businesses/{business_id}/keys",
      tags,
      summary: "Make a key for a business",
      description: "The key is in this answer and nowhere else. A key can give away only scopes that it has.",
      middleware: [businessAccess(db, "keys:write")] as const,
      request: {
        params: businessParams,
        headers: idempotencyHeaders,
        body: { required: true, content: { "application/json": { schema: newKey } } },
      },
      responses: {
        201: { description: "The new key", content: created },
        ...problemResponses(...bodyProblems, "forbidden", "idempotency_mismatch"),
      },
    }),
    async (c) => {
      const body = c.req.valid("json");
      refuseBeyond(c.var.principal, body.scopes);
      const key = c.req.valid("header")["idempotency-key"];
      const issued = await answerOnce(c, c.var.business, { key, body, secret: true }, (scope) => issueKey(scope, body));
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
      summary: "Put a new key in the place of one",
      description: "The new one has the same name and scopes. The old one works on for the overlap, so that programs can change over.",
      middleware: [businessAccess(db, "keys:write")] as const,
      request: {
        params: keyParams,
        headers: idempotencyHeaders,
        body: { required: true, content: { "application/json": { schema: rotation } } },
      },
      responses: {
        201: { description: "The new key", content: created },
        ...problemResponses(...bodyProblems, "forbidden", "idempotency_mismatch"),
      },
    }),
    async (c) => {
      const { principal, business } = c.var;
      const body = c.req.valid("json");
      const key = c.req.valid("header")["idempotency-key"];
      const issued = await answerOnce(c, business, { key, body, secret: true }, (scope) =>
        // Together, so that a rotation that may not be is none.
        atomically(scope, (inner) =>
          replaceKey(inner, c.req.valid("param").key_id, body.overlap_s, (scopes) => refuseBeyond(principal, scopes)),
        ),
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
      description: "It stops working within five seconds.",
      middleware: [businessAccess(db, "keys:write")] as const,
      request: { params: keyParams },
      responses: { 204: { description: "Revoked" }, ...problemResponses("forbidden") },
    }),
    async (c) => {
      const id = knownForm(c.req.valid("param").key_id);
      const revoked = id !== undefined && (await revokeKey(c.var.business, id));
      if (!revoked) throw noSuchKey();
      keyRing.forget(c.var.business.businessId);
      return c.body(null, 204);
    },
  );

  return app;
}
