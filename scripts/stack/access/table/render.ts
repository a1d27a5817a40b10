import { join } from "node:path";
import type { Section } from "./row.ts";

export const tableFile = join(import.meta.dir, "../TABLE.md");

const head = `# Who may do what

Rights of each token, as real servers grant them. \`./scripts/task access:table -- --write\` writes this file, and a
test compares it with the policies and job files. Read its changes as you read those of a policy. Tasks of a job have
the token of the policy with its name: in Consul, and those of a row "job …" in Nomad too.
`;

const cell = (names: readonly string[]) => (names.length === 0 ? "—" : names.join(", "));
const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;

function sectionText({ title, columns, rows }: Section): string {
  const lines = [
    line(["token", ...columns]),
    line(["token", ...columns].map(() => "---")),
    ...rows.map(({ token, allowed }) => line([token, ...columns.map((column) => cell(allowed[column] ?? []))])),
  ];
  return `## ${title}\n\n${lines.join("\n")}\n`;
}

export const tableText = (sections: readonly Section[]): string => [head, ...sections.map(sectionText)].join("\n");
