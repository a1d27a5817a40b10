import { html } from "hono/html";
import { renderOperation, renderWebhook, verb } from "./operation.ts";
import type { Entry } from "./operation.ts";
import { sampleFiles } from "./samples/index.ts";
import { renderSchema } from "./schema_table.ts";
import type { ApiDocument, Html } from "./openapi.ts";

/**
 * Renders the reference as one page, which reads without scripts; docs.client.ts adds search, copying and sending.
 *
 * Our own, because no library has all of that under a policy without 'unsafe-inline': Scalar (3.6 MB; 282 packages of
 * 311 MB), RapiDoc (0.9 MB) and openapi-explorer (0.8 MB) write inline styles, and Scalar calls its maker's proxy.
 * Swagger UI (1.7 MB; 12 MB) shows no example before the request was sent, in curl only, and searches only paths.
 */
export function renderReference(document: ApiDocument): Html {
  const operations = entriesOf(document.paths);
  const groups = Map.groupBy(operations, ({ operation }) => operation.tags?.[0] ?? "Other");
  const webhooks = entriesOf(document.webhooks ?? {}, "event-");
  const schemas = Object.entries(document.components?.schemas ?? {});
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${document.info.title} API reference</title>
        <link rel="stylesheet" href="/docs/docs.css" />
        <script type="module" src="/docs/docs.js"></script>
      </head>
      <body>
        <nav>
          <h1><a href="#top">${document.info.title} API</a></h1>
          <div class="tools" hidden>
            <input type="search" id="search" placeholder="Search (press /)" aria-label="Search" />
            <input type="password" id="key" placeholder="API key for Try it" aria-label="API key" autocomplete="off" />
          </div>
          ${[...groups].map(([group, members]) => renderLinks(group, members))}
          ${renderLinks("Webhook events", webhooks)}
          <div class="group">
            <h2>Schemas</h2>
            <ul>
              ${schemas.map(([name]) => html`<li><a href="#schema-${name}">${name}</a></li>`)}
            </ul>
          </div>
        </nav>
        <main id="top">
          <p>${document.info.description}</p>
          <p>
            For programs, the same as an OpenAPI document: <a href="/v1/openapi.json">/v1/openapi.json</a> (OpenAPI
            3.1).
          </p>
          <p>
            Each example runs where <code>API_KEY</code> and the ids of its path are in the environment, such as
            <code>BUSINESS_ID</code>. Uploads send
            ${Object.values(sampleFiles).map((name, n) => html`${n > 0 ? " or " : ""}<code>${name}</code>`)} from the
            current folder.
          </p>
          ${[...groups].map(([group, members]) =>
            renderGroup(
              group,
              members.map((entry) => renderOperation(entry, document)),
            ),
          )}
          ${renderGroup(
            "Webhook events",
            webhooks.map((entry) => renderWebhook(entry, document)),
          )}
          ${renderGroup(
            "Schemas",
            schemas.map(
              ([name, schema]) =>
                html`<section id="schema-${name}">
                  <h3>${name}</h3>
                  ${renderSchema(schema)}
                </section>`,
            ),
          )}
        </main>
      </body>
    </html>`;
}

const entriesOf = (paths: ApiDocument["paths"], prefix = ""): Entry[] =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      id: `${prefix}${method}${path.replaceAll(/[^A-Za-z0-9]+/g, "-")}`,
      method: method.toUpperCase(),
      path,
      operation,
    })),
  );

const renderGroup = (name: string, sections: Html[]) =>
  html`<div class="group">
    <h2>${name}</h2>
    ${sections}
  </div>`;

const renderLinks = (group: string, entries: Entry[]) =>
  html`<div class="group">
    <h2>${group}</h2>
    <ul>
      ${entries.map(
        ({ id, method, operation }) => html`<li><a href="#${id}">${verb(method)} ${operation.summary}</a></li>`,
      )}
    </ul>
  </div>`;
