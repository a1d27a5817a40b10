import { parametersOf } from "../openapi.ts";
import type { ApiDocument, Operation, Parameter } from "../openapi.ts";
import { exampleOf } from "./example.ts";

/** The example request of an operation, from which each language's sample is written. */
export type SampleRequest = {
  method: string;
  /** The URL with its query. Ids are in braces: `{business_id}`. */
  url: string;
  /** JSON body. */
  json?: unknown;
  /** File that is uploaded, from the current folder. */
  file?: { name: string; type: string };
  /** Media type of a successful response. Undefined if it has no body. */
  answer: string | undefined;
};

/** Files that samples upload, by media type. */
export const sampleFiles: Readonly<Record<string, string>> = {
  "application/octet-stream": "photo.jpg",
  "text/csv": "recipients.csv",
};

export function sampleRequest(
  method: string,
  path: string,
  operation: Operation,
  document: ApiDocument,
): SampleRequest {
  const content = operation.requestBody?.content ?? {};
  const json = content["application/json"]?.schema;
  const type = Object.keys(sampleFiles).find((each) => each in content);
  const success = Object.entries(operation.responses).find(([status]) => status.startsWith("2"))?.[1];
  return {
    method,
    url: `${document.servers?.[0]?.url ?? ""}${path}${queryOf(parametersOf(operation, document))}`,
    ...(json && { json: exampleOf(json, document, "request") }),
    ...(!json && type !== undefined && { file: { name: sampleFiles[type]!, type } }),
    answer: Object.keys(success?.content ?? {})[0],
  };
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

/** Replaces each id of a URL, `{business_id}`, by what `write` returns for the variable `BUSINESS_ID`. */
export const withIds = (url: string, write: (variable: string) => string): string =>
  url.replaceAll(/\{(\w+)\}/g, (_, name: string) => write(name.toUpperCase()));

/** The variables of a URL's ids. */
export const idsIn = (url: string): string[] => [...url.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!.toUpperCase());
