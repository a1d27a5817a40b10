import { z } from "zod";

export type JsonSchema = { [name: string]: unknown };
type Content = Record<string, { schema?: JsonSchema }>;
export type Parameter = { name: string; in: "path" | "query" | "header"; required?: boolean; schema?: JsonSchema };
export type Operation = {
  parameters?: Parameter[];
  requestBody?: { content: Content };
  responses: Record<string, { content?: Content }>;
};
export type OpenApiDocument = {
  paths: Record<string, Record<string, Operation>>;
  components?: { schemas?: Record<string, JsonSchema> };
};

/** The parts of a response that an OpenAPI document describes. */
export type SeenResponse = { status: number; contentType: string | null; body: unknown };

export type Conformance = {
  /** Returns the document's path template that matches a request path. */
  templateOf(path: string): string | undefined;
  /** Returns how a response differs from the document; undefined if it conforms. */
  faultOf(method: string, path: string, response: SeenResponse): string | undefined;
};

/** Checks responses against an OpenAPI 3.1 document: the status, the media type and, for JSON, the schema. */
export function createConformance(document: OpenApiDocument): Conformance {
  const templates = Object.keys(document.paths).map((template) => ({
    template,
    // A path without parameters takes precedence.
    form: new RegExp(`^${template.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^/]+")}$`),
    parameters: template.split("{").length,
  }));
  const ordered = templates.toSorted((a, b) => a.parameters - b.parameters);
  const parsers = new Map<string, z.ZodType>();
  const parserOf = (name: string, schema: JsonSchema): z.ZodType => {
    const known = parsers.get(name);
    if (known) return known;
    const made = z.fromJSONSchema(standalone(schema, document));
    parsers.set(name, made);
    return made;
  };
  const problem = document.components?.schemas?.["Problem"];

  const templateOf = (path: string) => ordered.find(({ form }) => form.test(path))?.template;
  return {
    templateOf,
    faultOf: (method, path, { status, contentType, body }) => {
      const template = templateOf(path);
      const operation = template === undefined ? undefined : document.paths[template]?.[method.toLowerCase()];
      const name = `${method.toUpperCase()} ${template} ${status}`;
      const mediaType = contentType?.split(";")[0]?.trim();
      if (!operation) {
        if (status !== 404 && status !== 401 && status !== 429 && status !== 413)
          return `${name}: the document has no such operation`;
        return problem && !parserOf("problem", problem).safeParse(body).success
          ? `${name}: the body is not a problem document`
          : undefined;
      }
      const response = operation.responses[String(status)];
      if (!response) return `${name}: the status is not in the document`;
      const contents = response.content ?? {};
      if (Object.keys(contents).length === 0)
        return body === "" || body === undefined ? undefined : `${name}: should have no body`;
      const content = contents[mediaType ?? ""];
      if (!content) return `${name}: ${mediaType ?? "no media type"} is not in the document`;
      if (!content.schema || !mediaType!.endsWith("json")) return undefined;
      const parsed = parserOf(`${name} ${mediaType}`, content.schema).safeParse(body);
      if (parsed.success) return undefined;
      return `${name}: ${parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ")}`;
    },
  };
}

/** Returns a self-contained schema: copies the document's schemas into `$defs`. */
export function standalone(schema: JsonSchema, document: OpenApiDocument): JsonSchema {
  const text = JSON.stringify({ ...schema, $defs: document.components?.schemas ?? {} });
  // zod compiles patterns without the flag u, which classes such as \p{L} need.
  const withoutUnicode = (name: string, value: unknown) =>
    name === "pattern" && typeof value === "string" && value.includes("\\p{") ? undefined : value;
  return JSON.parse(text.replaceAll("#/components/schemas/", "#/$defs/"), withoutUnicode) as JsonSchema;
}
