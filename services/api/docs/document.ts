import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Authenticated } from "../http/auth/guards.ts";
import { keptAnswer } from "./kept_answer.ts";
import { renderReference } from "./render.ts";
import type { ApiDocument } from "./openapi.ts";
import { registerWebhooks } from "./webhooks.ts";

const description = [
  "Fields are snake_case, times are ISO 8601 in UTC, and ids are opaque strings.",
  "Lists return `{data, next_cursor}`. Send `next_cursor` as `cursor` to get the next page.",
  "Errors are `application/problem+json` (RFC 9457) with a stable `type`, a `detail` that says what to do, and the",
  "`request_id` to search for in the log.",
  "An admin key has every permission. A key of a business has the permissions of its scopes, within its own business.",
  "Other resources answer 404.",
  "A JSON body may have up to 512 KiB. The RateLimit headers of every response report the rate limit of the key.",
  "Responses with 429 and 503 carry Retry-After.",
  "A request may carry the trace context of its caller, as the W3C header `traceparent`.",
].join(" ");

/** Allows only our own style sheet, script and API: nothing inline, no frames, no markup from scripts. */
const pagePolicy = [
  "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'",
  "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
].join("; ");

const asset = (name: string) => Bun.file(new URL(`./${name}`, import.meta.url)).text();

type OpenApi = ReturnType<OpenAPIHono<Authenticated>["getOpenAPI31Document"]>;

/** Serves the OpenAPI document, which is generated from the routes' schemas, and its reference page. Returns it. */
export function publishDocument(app: OpenAPIHono<Authenticated>, publicUrl: string): () => OpenApi {
  app.openAPIRegistry.registerComponent("securitySchemes", "key", {
    type: "http",
    scheme: "bearer",
    description: "An API key of the form psk_<prefix>_<secret>.",
  });
  registerWebhooks(app);
  // Generated at the first request, when all routes have been registered, and cached.
  let document: OpenApi | undefined;
  const getDocument = () =>
    (document ??= app.getOpenAPI31Document({
      openapi: "3.1.0",
      info: { title: "ProSaaS", version: "1", description },
      servers: [{ url: publicUrl }],
      security: [{ key: [] }],
    }));
  const json = keptAnswer("application/json", () => JSON.stringify(getDocument()));
  app.get("/v1/openapi.json", json);

  const page = keptAnswer(
    "text/html; charset=UTF-8",
    async () => String(await renderReference(getDocument() as unknown as ApiDocument)),
    { "content-security-policy": pagePolicy, "x-content-type-options": "nosniff" },
  );
  app.get("/docs", page);
  app.get("/docs/", (c) => c.redirect("/docs", 308));
  app.get("/docs/docs.css", async (c) => c.body(await asset("docs.css"), 200, { "content-type": "text/css" }));
  let script: string | undefined;
  app.get("/docs/docs.js", async (c) => {
    script ??= new Bun.Transpiler({ loader: "ts" }).transformSync(await asset("docs.client.ts"));
    return c.body(script, 200, { "content-type": "text/javascript" });
  });
  return getDocument;
}
