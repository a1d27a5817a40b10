import { rm } from "node:fs/promises";
import { checksOf, integrationFiles } from "./checks.ts";
import type { Check } from "./checks.ts";
import { execute } from "./execution.ts";
import type { Execution } from "./execution.ts";
import { hunkRows } from "./report.ts";
import type { Row } from "./report.ts";
import { baileys, copyCheckout, fitPatches, ownCopies, setVersion } from "./scratch.ts";

export type Trial = {
  root: string;
  version: string;
  bench: boolean;
  signal: AbortSignal;
  /** Logs a step to the operator. */
  say(line: string): void;
};

/** The end of an output that is shown of a failed check, in lines. */
const shownLines = 40;

const install = ["bun", "install", "--no-progress", "--ignore-scripts"];

/** The steps of a trial, for --dry-run. */
export async function planOf({ root, version, bench }: Pick<Trial, "root" | "version" | "bench">): Promise<string[]> {
  const integration = await integrationFiles(root);
  const line = ({ name, command }: Check) =>
    name === "integration tests" ? `${name}: ${integration.length} files` : `${name}: ${command.join(" ")}`;
  return [
    "copy the checkout to a temporary folder",
    `install ${baileys} ${version} without patches`,
    "compare each hunk of its patches, and of libsignal's, with the packages",
    "install with the hunks that apply",
    ...checksOf({ integration, bench }).map(line),
    "remove the temporary folder",
  ];
}

/** Tries a version in a copy of the checkout, which is removed at the end, and returns a row for each check. */
export async function tryVersion({ root, version, bench, signal, say }: Trial): Promise<Row[]> {
  const rows: Row[] = [];
  const add = (row: Row) => {
    rows.push(row);
    say(`${row.passed ? "ok" : "FAILED"}  ${row.check}${row.detail === "" ? "" : `: ${row.detail}`}`);
    return row.passed;
  };
  const folder = await copyCheckout(root);
  try {
    const run = async (check: Check) => add(rowOf(check, await execute(check.command, { cwd: folder, signal }), say));
    const installing = (name: string): Check => ({
      name,
      command: install,
      judge: () => ({ passed: true, detail: "" }),
    });

    const patches = await setVersion(folder, version);
    if (!(await run(installing(`install ${version}`)))) return rows;
    const own = ownCopies(folder);
    add({ check: "one copy of each package", passed: own.length === 0, detail: own.join(", ") });
    for (const row of hunkRows(await fitPatches(folder, patches))) add(row);
    if (!(await run(installing("install the patches")))) return rows;
    for (const check of checksOf({ integration: await integrationFiles(folder), bench })) await run(check);
    return rows;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function rowOf({ name, judge }: Check, { code, stdout, stderr, ms }: Execution, say: Trial["say"]): Row {
  const { passed, detail } = judge(stdout);
  const row = { check: name, passed: code === 0 && passed, seconds: Math.round(ms / 100) / 10, detail };
  if (row.passed) return row;
  for (const line of `${stdout}\n${stderr}`.trim().split("\n").slice(-shownLines)) say(`    ${line}`);
  return { ...row, detail: detail === "" ? `exit code ${code}` : detail };
}
