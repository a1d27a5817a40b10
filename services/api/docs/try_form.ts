import { html } from "hono/html";
import type { SampleRequest } from "./samples/index.ts";
import type { Html, Parameter } from "./openapi.ts";

/**
 * The form that sends an operation's request. Field names are `where:name`, which docs.client.ts reads. Hidden until
 * that script runs.
 */
export function renderTryForm(path: string, parameters: Parameter[], { method, json, file }: SampleRequest): Html {
  return html`<details class="try" hidden>
    <summary>Try it</summary>
    <form data-method="${method}" data-path="${path}">
      ${parameters.map(renderField)}
      ${
        json === undefined
          ? ""
          : html`<label
              >Body<textarea name="body:application/json" rows="8">${JSON.stringify(json, null, 2)}</textarea>
            </label>`
      }
      ${file ? html`<label>File<input type="file" name="body:${file.type}" required /></label>` : ""}
      <button>Send</button> <button type="button" class="stop" hidden>Stop</button>
      <output></output>
    </form>
  </details>`;
}

const renderField = ({ name, in: where, required }: Parameter): Html =>
  html`<label>${name}<input name="${where}:${name}" ${required ? "required" : ""} autocomplete="off" /></label>`;
