import { html } from "hono/html";
import type { HtmlEscapedString } from "hono/utils/html";
import { exampleOf } from "./example.ts";
import { curlOf, sampleFiles } from "./sample.ts";
import type { ApiDocument, Operation, Parameter, Schema } from "./types.ts";

type Html = HtmlEscapedString | Promise<HtmlEscapedString>;
type Entry = { id: string; method: string; path: string; operation: Operation };

/** Renders the reference as one page without scripts: each operation with its parameters, responses and an example. */
export function renderReference(document: ApiDocument): Html {
  const entries = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      id: idOf(method, path),
      method: method.toUpperCase(),
      path,
      operation,
    })),
  );
  const groups = Map.groupBy(entries, ({ operation }) => operation.tags?.[0] ?? "Other");
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${document.info.title} API reference</title>
        <link rel="stylesheet" href="/docs/docs.css" />
      </head>
      <body>
        <nav>
          <h1><a href="#top">${document.info.title} API</a></h1>
          ${[...groups].map(
            ([group, members]) =>
              html`<h2>${group}</h2>
                <ul>
                  ${members.map(renderLink)}
                </ul>`,
          )}
          <h2>Schemas</h2>
          <ul>
            ${Object.keys(document.components?.schemas ?? {}).map(renderSchemaLink)}
          </ul>
        </nav>
        <main id="top">
          <p>${document.info.description}</p>
          <p>
            For programs, the same as an OpenAPI document: <a href="/v1/openapi.json">/v1/openapi.json</a> (OpenAPI
            3.1).
          </p>
          <p>
            Each example runs in a shell in which <code>API_KEY</code> and the ids of its path are set, such as
            <code>BUSINESS_ID</code>. Uploads send
            ${Object.values(sampleFiles).map((name, n) => html`${n > 0 ? " or " : ""}<code>${name}</code>`)} from the
            current folder.
          </p>
          ${[...groups].map(
            ([group, members]) =>
              html`<h2>${group}</h2>
                ${members.map((entry) => renderOperation(entry, document))}`,
          )}
          <h2>Schemas</h2>
          ${Object.entries(document.components?.schemas ?? {}).map(
            ([name, schema]) =>
              html`<section id="schema-${name}">
                <h3>${name}</h3>
                ${renderSchema(schema)}
              </section>`,
          )}
        </main>
      </body>
    </html>`;
}

const idOf = (method: string, path: string) => `${method}${path.replaceAll(/[^A-Za-z0-9]+/g, "-")}`;
const verb = (method: string) => html`<span class="verb ${method.toLowerCase()}">${method}</span>`;

const renderLink = ({ id, method, operation }: Entry) =>
  html`<li><a href="#${id}">${verb(method)} ${operation.summary}</a></li>`;
const renderSchemaLink = (name: string) => html`<li><a href="#schema-${name}">${name}</a></li>`;

function renderOperation({ id, method, path, operation }: Entry, document: ApiDocument): Html {
  const body = operation.requestBody?.content["application/json"]?.schema;
  return html`<section id="${id}">
    <h3>${verb(method)} <code>${path}</code></h3>
    <p><strong>${operation.summary}.</strong></p>
    ${(operation.description ?? "").split("\n\n").map((paragraph) => html`<p>${paragraph}</p>`)}
    ${renderParameters(operation.parameters ?? [])}
    ${
      body
        ? html`<h4>Body</h4>
            ${renderSchema(body)}`
        : ""
    }
    <h4>Example</h4>
    <pre>${curlOf(method, path, operation, document)}</pre>
    <h4>Responses</h4>
    <table>
      ${Object.entries(operation.responses).map(([status, { description, content }]) => {
        const schema = Object.values(content ?? {})[0]?.schema;
        return html`<tr>
          <td><code>${status}</code></td>
          <td>${description}</td>
          <td>${schema ? typeOf(schema) : ""}</td>
        </tr>`;
      })}
    </table>
    ${renderResponse(operation, document)}
  </section>`;
}

function renderResponse({ responses }: Operation, document: ApiDocument): Html | "" {
  const schema = Object.entries(responses).find(([status]) => status.startsWith("2"))?.[1].content?.["application/json"]
    ?.schema;
  return schema ? html`<pre>${JSON.stringify(exampleOf(schema, document, "answer"), null, 2)}</pre>` : "";
}

function renderParameters(parameters: Parameter[]): Html | "" {
  if (parameters.length === 0) return "";
  return html`<h4>Parameters</h4>
    <table>
      ${parameters.map(
        ({ name, in: location, required, description, schema = {} }) =>
          html`<tr>
            <td><code>${name}</code></td>
            <td>${location}${required ? ", required" : ""}</td>
            <td>${typeOf(schema)}</td>
            <td>${description ?? schema.description}</td>
          </tr>`,
      )}
    </table>`;
}

function renderSchema(schema: Schema): Html {
  const variants = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (!schema.properties) {
    return variants
      ? html`${variants.map((variant) => renderSchema(variant))}`
      : html`<p>${typeOf(schema)} ${schema.description}</p>`;
  }
  const required = new Set(schema.required);
  return html`<table>
    ${Object.entries(schema.properties).map(
      ([name, member]) =>
        html`<tr>
          <td><code>${name}</code></td>
          <td>${required.has(name) ? "required" : ""}</td>
          <td>${typeOf(member)}</td>
          <td>${member.description}</td>
        </tr>`,
    )}
  </table>`;
}

function typeOf(schema: Schema): Html {
  const name = schema.$ref?.split("/").at(-1);
  if (name !== undefined) return html`<a href="#schema-${name}">${name}</a>`;
  const variants = schema.anyOf ?? schema.oneOf;
  if (variants) return html`${variants.map((variant, n) => html`${n > 0 ? " or " : ""}${typeOf(variant)}`)}`;
  if (schema.items) return html`list of ${typeOf(schema.items)}`;
  const values = schema.enum ?? (schema.const === undefined ? undefined : [schema.const]);
  if (values)
    return html`${values.map((value, n) => html`${n > 0 ? " | " : ""}<code>${JSON.stringify(value)}</code>`)}`;
  const kind = [schema.type ?? "any"].flat().join(" or ");
  const bounds = [
    schema.format,
    schema.minimum === undefined || Math.abs(schema.minimum) >= Number.MAX_SAFE_INTEGER
      ? undefined
      : `from ${schema.minimum}`,
    schema.maximum === undefined || Math.abs(schema.maximum) >= Number.MAX_SAFE_INTEGER
      ? undefined
      : `to ${schema.maximum}`,
    schema.maxLength === undefined ? undefined : `at most ${schema.maxLength} characters`,
    schema.default === undefined ? undefined : `default ${JSON.stringify(schema.default)}`,
  ].filter((bound) => bound !== undefined);
  return html`${kind}${bounds.length > 0 ? ` (${bounds.join(", ")})` : ""}`;
}
