import { html } from "hono/html";
import type { Html, Schema } from "./openapi.ts";

/** A table of a schema's fields, or its type and description if it has none. */
export function renderSchema(schema: Schema): Html {
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

/** A schema's type with its bounds; named schemas are links. */
export function typeOf(schema: Schema): Html {
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
