import { join } from "node:path";
import { thisMachine } from "../cli/capacity/measured.ts";
import { root } from "./rig/child.ts";

/** One run of a command of the lab. */
export type ResultRow = { date: string; commit: string; machine: string; command: string; figures: string };

const file = join(import.meta.dir, "RESULTS.md");
/** Sections of commands come before this one. */
const formerFigures = "## Former figures";
const columns = ["date", "commit", "machine", "command", "figures"] as const;
const tableLine = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
const tableHead = `${tableLine(columns)}\n${tableLine(columns.map(() => "---"))}\n`;

/** Adds the figures of this process's run to RESULTS.md. */
export async function recordResult(name: string, figures: Record<string, unknown>): Promise<void> {
  const { cpu, cores } = thisMachine();
  const row = {
    date: new Date().toISOString().slice(0, 10),
    commit: currentCommit(),
    machine: `${cores} × ${cpu}`,
    command: commandLineOf(name, process.argv.slice(2)),
    figures: figuresText(figures),
  };
  await Bun.write(file, withRow(await Bun.file(file).text(), name, row));
  process.stderr.write(`recorded in scripts/lab/RESULTS.md\n`);
}

/** The document with one more row at the top of the command's table, which is created if it is missing. */
export function withRow(markdown: string, name: string, row: ResultRow): string {
  const line = `${tableLine(columns.map((column) => row[column].replaceAll("|", "\\|")))}\n`;
  const start = `## ${name}\n\n${tableHead}`;
  const at = markdown.indexOf(start);
  if (at >= 0) return markdown.slice(0, at + start.length) + line + markdown.slice(at + start.length);
  const end = markdown.indexOf(formerFigures);
  const before = end < 0 ? markdown.length : end;
  return `${markdown.slice(0, before)}${start}${line}\n${markdown.slice(before)}`;
}

/** The command line without the options that only choose the form of the output. */
export function commandLineOf(name: string, args: readonly string[]): string {
  const given = args.filter((arg) => arg !== "--record" && arg !== "--json");
  return `\`${[name, ...(given.length > 0 ? ["--", ...given] : [])].join(" ")}\``;
}

export function figuresText(figures: Record<string, unknown>): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}

/** `+` marks a checkout with uncommitted changes other than earlier results. */
function currentCommit(): string {
  const git = (...args: string[]) =>
    Bun.spawnSync(["git", ...args], { cwd: root })
      .stdout.toString()
      .trim();
  const changes = git("status", "--porcelain", "--", ".", ":!scripts/lab/RESULTS.md");
  return `${git("rev-parse", "--short", "HEAD") || "unknown"}${changes === "" ? "" : "+"}`;
}
