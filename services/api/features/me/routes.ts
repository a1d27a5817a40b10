import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import type { Authenticated } from "../../http/auth/guards.ts";
import { scopes } from "../../http/auth/principal.ts";
import { problemResponses } from "../../http/problem.ts";
import { timestamp } from "../../http/text.ts";

const caller = z
  .object({
    kind: z.enum(["admin", "business"]),
    key_id: z.string(),
    prefix: z.string().openapi({ description: "The public part of the key.", example: "k3vq8x2m" }),
    business_id: z.string().nullable().openapi({ description: "The business of the key. Null for an admin key." }),
    scopes: z.array(z.string()).openapi({ description: "Permissions of the key.", example: ["messages:read"] }),
    expires_at: timestamp.nullable(),
  })
  .openapi("Caller");

export function meRoutes(): OpenAPIHono<Authenticated> {
  const app = new OpenAPIHono<Authenticated>();
  app.openapi(
    createRoute({
      method: "get",
      path: "/me",
      tags: ["Keys"],
      summary: "Get the caller",
      description: "Returns the key of the request, or the key that the console session was opened with.",
      responses: {
        200: { description: "The caller", content: { "application/json": { schema: caller } } },
        ...problemResponses(),
      },
    }),
    (c) => {
      const { principal } = c.var;
      const { kind, keyId, prefix, expiresAt } = principal;
      return c.json(
        {
          kind,
          key_id: keyId,
          prefix,
          business_id: principal.kind === "business" ? principal.businessId : null,
          scopes: principal.kind === "business" ? [...principal.scopes] : [...scopes],
          expires_at: expiresAt?.toISOString() ?? null,
        },
        200,
      );
    },
  );
  return app;
}
