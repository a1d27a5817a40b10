import { withIds } from "./request.ts";
import type { SampleRequest } from "./request.ts";

/** A curl command. Expects a shell in which `API_KEY` and the ids of the path are set. */
export function curlSample({ method, url, json, file, answer }: SampleRequest): string {
  const flags = `${answer === "text/event-stream" ? "-N " : ""}${method === "GET" ? "" : `-X ${method} `}`;
  return [
    `curl ${flags}"${withIds(url, (variable) => `$${variable}`)}"`,
    `-H "Authorization: Bearer $API_KEY"`,
    ...(json === undefined
      ? []
      : [`-H "Content-Type: application/json"`, `-d ${quoted(JSON.stringify(json, null, 2))}`]),
    ...(file ? [`-H "Content-Type: ${file.type}"`, `--data-binary @${file.name}`] : []),
  ].join(" \\\n  ");
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
