import { exampleOf } from "./example.ts";
import type { ApiDocument, Operation, Parameter } from "./types.ts";

/**
 * A curl command that calls an operation. Expects a shell in which `API_KEY` and the ids of the path are set:
 * `{business_id}` becomes `$BUSINESS_ID`. Uploads send `sampleFiles`.
 */
export function curlOf(method: string, path: string, operation: Operation, document: ApiDocument): string {
  const base = document.servers?.[0]?.url ?? "";
  const target = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => `$${name.toUpperCase()}`);
  const lines = [`curl ${flagsOf(method, operation)}"${base}${target}${queryOf(operation.parameters ?? [])}"`];
  lines.push(`-H "Authorization: Bearer $API_KEY"`);
  return [...lines, ...bodyOf(operation, document)].join(" \\\n  ");
}

function flagsOf(method: string, { responses }: Operation): string {
  const streams = responses["200"]?.content?.["text/event-stream"] !== undefined;
  return `${streams ? "-N " : ""}${method === "GET" ? "" : `-X ${method} `}`;
}

/** The required query parameters with their examples. */
function queryOf(parameters: Parameter[]): string {
  const required = parameters.filter((parameter) => parameter.in === "query" && parameter.required === true);
  if (required.length === 0) return "";
  const pairs = required.map(({ name, schema }): [string, string] => [
    name,
    typeof schema?.example === "string" ? schema.example : "",
  ]);
  return `?${new URLSearchParams(pairs).toString()}`;
}

/** Files that samples upload, by media type. */
export const sampleFiles: Readonly<Record<string, string>> = {
  "application/octet-stream": "photo.jpg",
  "text/csv": "recipients.csv",
};

function bodyOf({ requestBody }: Operation, document: ApiDocument): string[] {
  const content = requestBody?.content ?? {};
  const json = content["application/json"]?.schema;
  if (json) {
    const body = JSON.stringify(exampleOf(json, document, "request"), null, 2);
    return [`-H "Content-Type: application/json"`, `-d '${body.replaceAll("'", "'\\''")}'`];
  }
  const type = Object.keys(sampleFiles).find((each) => each in content);
  return type === undefined ? [] : [`-H "Content-Type: ${type}"`, `--data-binary @${sampleFiles[type]}`];
}
