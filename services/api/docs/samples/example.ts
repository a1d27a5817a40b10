import type { ApiDocument, Schema } from "../openapi.ts";

/**
 * Generates a value that matches a schema, preferring the schema's own examples. For a request, omits optional members
 * without an example, so that the API accepts the value.
 */
export function exampleOf(schema: Schema, document: ApiDocument, purpose: "request" | "answer", depth = 0): unknown {
  const inner = (part: Schema) => exampleOf(part, document, purpose, depth + 1);
  const name = schema.$ref?.split("/").at(-1);
  if (name !== undefined) return depth > 6 ? {} : inner(document.components?.schemas?.[name] ?? {});
  if (schema.example !== undefined) return schema.example;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (schema.default !== undefined) return schema.default;
  const variants = schema.anyOf ?? schema.oneOf;
  if (variants?.[0]) return inner(variants[0]);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map(inner));
  if (schema.properties) {
    const required = new Set(schema.required);
    const shown = Object.entries(schema.properties).filter(
      ([key, member]) => purpose === "answer" || required.has(key) || member.example !== undefined,
    );
    return Object.fromEntries(shown.map(([key, member]) => [key, inner(member)]));
  }
  if (schema.items) return depth > 6 ? [] : [inner(schema.items)];
  switch ([schema.type].flat()[0]) {
    case "integer":
    case "number":
      return Math.max(1, schema.minimum ?? 1);
    case "boolean":
      return true;
    case "null":
      return null;
    case "object":
      return {};
    default:
      return schema.format === "date-time" ? "2026-03-01T12:00:00.000Z" : "…";
  }
}
