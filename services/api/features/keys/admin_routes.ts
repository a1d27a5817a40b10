import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../../../lib/core/errors.ts";
import { listKeys } from "../../../../lib/db/index.ts";
import { adminOnly, platformScope } from "../../http/auth/guards.ts";
import type { Authenticated } from "../../http/auth/guards.ts";
import type { Authenticator } from "../../http/auth/authenticator.ts";
import type { ApiDependencies } from "../../backend/dependencies.ts";
import { idempotencyHeaders, runIdempotent } from "../../http/idempotency.ts";
import { issueKey, removeKey, replaceKey } from "./issue_key.ts";
import { createdKey, keyQuery, keySchema, newAdminKey, rotation } from "./schemas.ts";
import { keyView } from "./view.ts";
import { pageOf, pageThrough } from "../../http/page.ts";
import { bodyProblems, problemResponses } from "../../http/problem.ts";
import { adminKeyParams, parseId } from "../../http/params.ts";

const tags = ["Administration"];
const created = { "application/json": { schema: createdKey } };
const noStore = { "cache-control": "no-store" };

/** Routes for the platform's own keys, which have every scope. */
export function adminKeyRoutes({ db }: ApiDependencies, authenticator: Authenticator): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();

  app.openapi(
    createRoute({
      method: "post",
      path: "/admin/keys",
      tags,
      summary: "Create an admin key",
      description: "Only this response contains the whole key. It may not expire later than the key that creates it.",
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
      const issued = await runIdempotent(c, platformScope(db, c), { key, body, secret: true }, (scope) =>
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
      summary: "List admin keys",
      description: "Returns the newest keys first.",
      middleware: [adminOnly] as const,
      request: { query: keyQuery },
      responses: {
        200: { description: "A page of keys", content: { "application/json": { schema: pageOf(keySchema) } } },
        ...problemResponses("invalid_request"),
      },
    }),
    async (c) => {
      const { prefix, ...range } = c.req.valid("query");
      return c.json(
        await pageThrough(range, (part) => listKeys(platformScope(db, c), { prefix, ...part }), keyView),
        200,
      );
    },
  );

  app.openapi(
    createRoute({
      method: "post",
      path: "/admin/keys/{key_id}/rotate",
      tags,
      summary: "Rotate an admin key",
      description: "Replaces a key with a new one of the same expiry. The old key keeps working for `overlap_s`.",
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
      const issued = await runIdempotent(c, platformScope(db, c), { key, body, secret: true }, (scope) =>
        replaceKey(scope, c.var.principal, key_id, body.overlap_s),
      );
      authenticator.invalidate(null);
      return c.json(issued, 201, noStore);
    },
  );

  app.openapi(
    createRoute({
      method: "delete",
      path: "/admin/keys/{key_id}",
      tags,
      summary: "Revoke an admin key",
      description: "The key stops working within five seconds. A key cannot revoke itself, so that one always remains.",
      middleware: [adminOnly] as const,
      request: { params: adminKeyParams },
      responses: { 204: { description: "Revoked" }, ...problemResponses("conflict") },
    }),
    async (c) => {
      const id = parseId(c.req.valid("param").key_id);
      if (id === c.var.principal.keyId)
        throw new AppError("conflict", "A key cannot revoke itself. Use another admin key.");
      await removeKey(platformScope(db, c), c.var.principal, c.req.valid("param").key_id);
      authenticator.invalidate(null);
      return c.body(null, 204);
    },
  );

  return app;
}
