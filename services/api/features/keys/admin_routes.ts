import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../../../lib/core/errors.ts";
import { forPlatform, listKeys } from "../../../../lib/db/index.ts";
import { adminOnly } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { KeyRing } from "../../http/auth/key_ring.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { answerOnce } from "../../http/idempotency.ts";
import { endKey, issueKey, replaceKey } from "./issue_key.ts";
import { idempotencyHeaders } from "../../http/idempotency_headers.ts";
import { createdKey, keyQuery, keySchema, keyView, newAdminKey, rotation } from "./schemas.ts";
import { pageOf, pageThrough } from "../../http/page.ts";
import { bodyProblems, problemResponses } from "../../http/problem.ts";
import { adminKeyParams, knownForm } from "../../http/params.ts";

const tags = ["Administration"];
const created = { "application/json": { schema: createdKey } };
const noStore = { "cache-control": "no-store" };

/** Keys of the platform itself: each may do everything. */
export function adminKeyRoutes({ db }: ApiDependencies, keyRing: KeyRing): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();
  const platform = forPlatform(db);

  app.openapi(
    createRoute({
      method: "post",
      path: "/admin/keys",
      tags,
      summary: "Create an admin key",
      description: "The key is in this answer and nowhere else. It expires no later than the key that creates it.",
      middleware: [adminOnly] as const,
      request: {
        headers: idempotencyHeaders,
        body: { required: true, content: { "application/json": { schema: newAdminKey } } },
      },
      responses: {
        201: { description: "The new key", content: created },
        ...problemResponses(...bodyProblems, "forbidden", "conflict", "idempotency_mismatch"),
      },
    }),
    async (c) => {
      const body = c.req.valid("json");
      const key = c.req.valid("header")["idempotency-key"];
      const issued = await answerOnce(c, platform, { key, body, secret: true }, (scope) =>
        issueKey(scope, c.var.principal, { scopes: [], ...body }),
      );
      return c.json(issued, 201, noStore);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/admin/keys",
      tags,
      summary: "List the admin keys, newest first",
      middleware: [adminOnly] as const,
      request: { query: keyQuery },
      responses: {
        200: { description: "A page", content: { "application/json": { schema: pageOf(keySchema) } } },
        ...problemResponses("invalid_request"),
      },
    }),
    async (c) => {
      const { prefix, ...range } = c.req.valid("query");
      return c.json(await pageThrough(range, (part) => listKeys(platform, { prefix, ...part }), keyView), 200);
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/admin/keys/{key_id}/rotate",
      tags,
      summary: "Rotate an admin key",
      description: "The new one has the final expiry of the old one, which works for the overlap.",
      middleware: [adminOnly] as const,
      request: {
        params: adminKeyParams,
        headers: idempotencyHeaders,
        body: { required: true, content: { "application/json": { schema: rotation } } },
      },
      responses: {
        201: { description: "The new key", content: created },
        ...problemResponses(...bodyProblems, "forbidden", "conflict", "idempotency_mismatch"),
      },
    }),
    async (c) => {
      const body = c.req.valid("json");
      const key = c.req.valid("header")["idempotency-key"];
      const { key_id } = c.req.valid("param");
      const issued = await answerOnce(c, platform, { key, body, secret: true }, (scope) =>
        replaceKey(scope, c.var.principal, key_id, body.overlap_s),
      );
      keyRing.forget(null);
      return c.json(issued, 201, noStore);
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/admin/keys/{key_id}",
      tags,
      summary: "Revoke an admin key",
      description: "It stops working within five seconds. A key cannot revoke itself: one always remains.",
      middleware: [adminOnly] as const,
      request: { params: adminKeyParams },
      responses: { 204: { description: "Revoked" }, ...problemResponses("conflict") },
    }),
    async (c) => {
      const id = knownForm(c.req.valid("param").key_id);
      if (id === c.var.principal.keyId)
        throw new AppError("conflict", "A key cannot revoke itself; use another admin key.");
      await endKey(platform, c.var.principal, c.req.valid("param").key_id);
      keyRing.forget(null);
      return c.body(null, 204);
    },
  );

  return app;
}
