import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Authenticated } from "../http/auth/guards.ts";
import { renderReference } from "./render.ts";
import type { ApiDocument } from "./types.ts";
import { registerWebhooks } from "./webhooks.ts";

const description = `Fields are snake_case, times ISO 8601 in UTC, ids opaque strings. Lists answer \`{data, next_cursor}\`;
send \`next_cursor\` back as \`cursor\` for the next page. Every error is \`application/problem+json\` (RFC 9457) with a stable
\`type\`, a \`detail\` that says what to do, and the \`request_id\` that finds it in the log. An admin key may do everything, a
business key what its scopes say under its own business; anything else answers 404. A body may have 512 KiB; how many
requests a key may make is in the RateLimit headers of every answer, and 429 and 503 say in Retry-After when to come again.`;

/** Nothing but our own style sheet: the page has no script, and no other page may frame it. */
const pagePolicy = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** Serves the OpenAPI document at /v1/openapi.json, generated from the schemas that parse the requests, and as a page at /docs. */
export function publishDocument(app: OpenAPIHono<Authenticated>, publicUrl: string): void {
  app.openAPIRegistry.registerComponent("securitySchemes", "key", {
    type: "http",
    scheme: "bearer",
    description: "An API key: psk_<prefix>_<secret>.",
  });
  registerWebhooks(app);
  // Made at the first request, when every route has been registered, and kept: it does not change any more.
  let document: ReturnType<typeof app.getOpenAPI31Document> | undefined;
  const present = () =>
    (document ??= app.getOpenAPI31Document({
      openapi: "3.1.0",
      info: { title: "ProSaaS", version: "1", description },
      servers: [{ url: publicUrl }],
      security: [{ key: [] }],
    }));
  app.get("/v1/openapi.json", (c) => c.json(present()));

  let page: Promise<string> | undefined;
  app.get("/docs", async (c) => {
    page ??= Promise.resolve(renderReference(present() as unknown as ApiDocument)).then(String);
    return c.html(await page, 200, { "content-security-policy": pagePolicy, "x-content-type-options": "nosniff" });
  });
  app.get("/docs/", (c) => c.redirect("/docs", 308));
  app.get("/docs/docs.css", async (c) =>
    c.body(await Bun.file(new URL("./docs.css", import.meta.url)).text(), 200, { "content-type": "text/css" }),
  );
}
