import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Authenticated } from "./auth/guards.ts";

const description = `Fields are snake_case, times ISO 8601 in UTC, ids opaque strings. Lists answer \`{data, next_cursor}\`;
send \`next_cursor\` back as \`cursor\` for the next page. Every error is \`application/problem+json\` (RFC 9457) with a stable
\`type\`, a \`detail\` that says what to do, and the \`request_id\` that finds it in the log. An admin key may do everything, a
business key what its scopes say under its own business; anything else answers 404.`;

/** Serves the OpenAPI document at /v1/openapi.json, generated from the schemas that parse the requests. */
export function publishDocument(app: OpenAPIHono<Authenticated>, publicUrl: string): void {
  app.openAPIRegistry.registerComponent("securitySchemes", "key", {
    type: "http",
    scheme: "bearer",
    description: "An API key: psk_<prefix>_<secret>.",
  });
  // Made at the first request, when every route has been registered, and kept: it does not change any more.
  let document: ReturnType<typeof app.getOpenAPI31Document> | undefined;
  app.get("/v1/openapi.json", (c) => {
    document ??= app.getOpenAPI31Document({
      openapi: "3.1.0",
      info: { title: "ProSaaS", version: "1", description },
      servers: [{ url: publicUrl }],
      security: [{ key: [] }],
    });
    return c.json(document);
  });
}
