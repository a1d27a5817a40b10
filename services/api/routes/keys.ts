import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { AppError } from "../../../lib/core/errors.ts";
import { uuidv7 } from "../../../lib/core/ids.ts";
import { generateKey } from "../../../lib/db/api_key.ts";
import { getBusiness, insertKey, listKeys, revokeKey } from "../../../lib/db/index.ts";
import { businessAccess, noSuchBusiness } from "../auth/guards.ts";
import type { Authenticated } from "../auth/guards.ts";
import type { KeyRing } from "../auth/key_ring.ts";
import { mayUse } from "../auth/principal.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { createdKey, keySchema, keyView, newKey } from "../schemas/key.ts";
import { pageOf, pageQuery, pageThrough } from "../schemas/page.ts";
import { bodyProblems, problemResponses } from "../schemas/problem.ts";
import { businessParams, keyParams, knownForm } from "./params.ts";

const tags = ["Keys"];

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
      request: { params: businessParams, body: { required: true, content: { "application/json": { schema: newKey } } } },
      responses: {
        201: { description: "The new key", content: { "application/json": { schema: createdKey } } },
        ...problemResponses(...bodyProblems, "forbidden"),
      },
    }),
    async (c) => {
      const { scopes } = c.req.valid("json");
      const beyond = scopes.filter((scope) => !mayUse(c.var.principal, scope));
      if (beyond.length > 0) {
        throw new AppError("forbidden", `This key lacks ${beyond.join(", ")} and so cannot give it to another.`);
      }
      const { key, prefix, hash } = generateKey();
      const stored = await insertKey(c.var.business, { id: uuidv7(), prefix, hash, scopes });
      if (!stored) throw noSuchBusiness();
      return c.json({ ...keyView(stored), key }, 201, { "cache-control": "no-store" });
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/businesses/{business_id}/keys",
      tags,
      summary: "List the keys of a business, newest first",
      middleware: [businessAccess(db, "keys:read")] as const,
      request: { params: businessParams, query: z.object(pageQuery) },
      responses: {
        200: { description: "A page", content: { "application/json": { schema: pageOf(keySchema) } } },
        ...problemResponses("invalid_request", "forbidden"),
      },
    }),
    async (c) => {
      const page = await pageThrough(c.req.valid("query"), (range) => listKeys(c.var.business, range), keyView);
      if (page.data.length === 0 && !(await getBusiness(c.var.business))) throw noSuchBusiness();
      return c.json(page, 200);
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
      if (!revoked) throw new AppError("not_found", "There is no such key.");
      keyRing.forget(c.var.business.businessId);
      return c.body(null, 204);
    },
  );

  return app;
}
