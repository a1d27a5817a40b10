import { html } from "hono/html";
import { exampleOf, languages, sampleRequest } from "./samples/index.ts";
import type { SampleRequest } from "./samples/index.ts";
import { renderSchema, typeOf } from "./schema_table.ts";
import { renderTryForm } from "./try_form.ts";
import { parametersOf } from "./openapi.ts";
import type { ApiDocument, Html, Operation, Parameter } from "./openapi.ts";

/** An operation or a webhook event, and the id of its section. */
export type Entry = { id: string; method: string; path: string; operation: Operation };

export const verb = (method: string) => html`<span class="verb ${method.toLowerCase()}">${method}</span>`;

/** The section of an operation: parameters, body, samples, a form that sends the request, and responses. */
export function renderOperation({ id, method, path, operation }: Entry, document: ApiDocument): Html {
  const body = operation.requestBody?.content["application/json"]?.schema;
  const sample = sampleRequest(method, path, operation, document);
  return html`<section id="${id}">
    <h3>${verb(method)} <code>${path}</code></h3>
    ${renderTexts(operation)} ${renderParameters(parametersOf(operation, document))}
    ${
      body
        ? html`<h4>Body</h4>
            ${renderSchema(body)}`
        : ""
    }
    <h4>Example</h4>
    ${renderSamples(id, sample)} ${renderTryForm(path, parametersOf(operation, document), sample)}
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

/** The section of an event that webhook endpoints receive. */
export function renderWebhook({ id, method, path, operation }: Entry, document: ApiDocument): Html {
  const schema = operation.requestBody?.content["application/json"]?.schema ?? {};
  return html`<section id="${id}">
    <h3>${verb(method)} <code>${path}</code></h3>
    ${renderTexts(operation)} ${renderParameters(parametersOf(operation, document))}
    <h4>Body</h4>
    ${renderSchema(schema)}
    <pre>${JSON.stringify(exampleOf(schema, document, "answer"), null, 2)}</pre>
  </section>`;
}

function renderTexts({ summary = "", description = "" }: Operation): Html {
  return html`<p><strong>${summary.replace(/\.?$/, ".")}</strong></p>
    ${description.split("\n\n").map((paragraph) => html`<p>${paragraph}</p>`)}`;
}

function renderSamples(id: string, sample: SampleRequest): Html {
  return html`<div class="samples">
    ${Object.entries(languages).map(
      ([language, write], n) =>
        html`<details name="${id}" data-language="${language}" ${n === 0 ? "open" : ""}>
          <summary>${language}</summary>
          <pre>${write(sample)}</pre>
        </details>`,
    )}
  </div>`;
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
