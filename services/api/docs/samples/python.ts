import { withIds } from "./request.ts";
import type { SampleRequest } from "./request.ts";

/** A Python program without packages. Expects `API_KEY` and the ids of the path in the environment. */
export function pythonSample({ method, url, json, file, answer }: SampleRequest): string {
  const type = json === undefined ? file?.type : "application/json";
  const data =
    json === undefined ? file && `open("${file.name}", "rb").read()` : `json.dumps(${literal(json)}).encode()`;
  const target = withIds(url, (variable) => `{os.environ['${variable}']}`);
  const headers = `"Authorization": f"Bearer {os.environ['API_KEY']}"${type ? `, "Content-Type": "${type}"` : ""}`;
  const options = [
    `${target === url ? "" : "f"}"${target}"`,
    ...(method === "GET" ? [] : [`method="${method}"`]),
    `headers={${headers}}`,
    ...(data ? [`data=${data}`] : []),
  ];
  return [
    json !== undefined || answer === "application/json" ? "import json, os" : "import os",
    "from urllib.request import Request, urlopen",
    "",
    "request = Request(",
    ...options.map((option) => `    ${option.replaceAll("\n", "\n    ")},`),
    ")",
    "with urlopen(request) as response:",
    ...printed(answer).map((line) => `    ${line}`),
  ].join("\n");
}

function printed(answer: string | undefined): string[] {
  if (answer === undefined) return ["print(response.status)"];
  if (answer === "application/json") return ["print(response.status, json.load(response))"];
  if (answer === "text/event-stream") return ["print(response.status)", "for line in response:", "    print(line)"];
  return ["print(response.status, response.read())"];
}

const words: Readonly<Record<string, string>> = { true: "True", false: "False", null: "None" };

/** A value as a Python literal: JSON, but for three words outside strings. */
const literal = (value: unknown): string =>
  JSON.stringify(value, null, 4).replaceAll(
    /"(?:[^"\\]|\\.)*"|\b(?:true|false|null)\b/g,
    (token) => words[token] ?? token,
  );
