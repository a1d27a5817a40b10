import { idsIn, withIds } from "./request.ts";
import type { SampleRequest } from "./request.ts";

/** A module for Node and Bun. Expects `API_KEY` and the ids of the path in the environment. */
export function javascriptSample({ method, url, json, file, answer }: SampleRequest): string {
  const type = json === undefined ? file?.type : "application/json";
  const body = json === undefined ? file && "body" : `JSON.stringify(${JSON.stringify(json, null, 2)})`;
  const options = [
    ...(method === "GET" ? [] : [`method: "${method}"`]),
    `headers: { Authorization: \`Bearer \${API_KEY}\`${type ? `, "Content-Type": "${type}"` : ""} }`,
    ...(body ? [body === "body" ? body : `body: ${body}`] : []),
  ];
  return [
    ...(file ? [`import { readFile } from "node:fs/promises";`, ""] : []),
    `const { ${["API_KEY", ...idsIn(url)].join(", ")} } = process.env;`,
    ...(file ? [`const body = await readFile("${file.name}");`] : []),
    `const response = await fetch(\`${withIds(url, (variable) => `\${${variable}}`)}\`, {`,
    ...options.map((option) => `  ${option.replaceAll("\n", "\n  ")},`),
    "});",
    ...printed(answer),
  ].join("\n");
}

function printed(answer: string | undefined): string[] {
  if (answer === undefined) return ["console.log(response.status);"];
  if (answer !== "text/event-stream")
    return [`console.log(response.status, await response.${answer === "application/json" ? "json" : "blob"}());`];
  return ["console.log(response.status);", "for await (const chunk of response.body) process.stdout.write(chunk);"];
}
