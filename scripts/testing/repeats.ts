import { join } from "node:path";

/*
 * Finds runs of equal lines that job files or tests repeat. Tests share set-up in functions. The job language has none
 * for blocks: those that it makes every file repeat are listed below.
 */

/** Equal lines in a row that count as a run, and occurrences of one run that are accepted. */
const runLength = 6;
const maxOccurrences = 2;

type Exception = { path: string; line: string; reason: string };

/** A run in files whose path begins with `path` is accepted if it has this line, with or without a comment after it. */
const exceptions: readonly Exception[] = [
  { path: "nomad/", line: "restart {", reason: "each group states its own restarts" },
  { path: "nomad/", line: "reschedule {", reason: "each group states where its allocations start again" },
  { path: "nomad/", line: "check {", reason: "each service states its own checks" },
  { path: "nomad/", line: 'volume "usr" {', reason: "each group asks for its own volumes" },
  { path: "nomad/", line: "volume_mount {", reason: "each task mounts its own volumes" },
  { path: "nomad/", line: "volume      = volume_mount.value", reason: "each task mounts its own volumes" },
  { path: "nomad/", line: 'dynamic "template" {', reason: "each task renders its own environment" },
  { path: "nomad/", line: "check_restart {", reason: "each service states its own checks" },
  { path: "nomad/", line: "memory     = var.memory.reserve", reason: "each task states its own resources" },
];

export type Source = { path: string; text: string };
export type Repeat = { lines: readonly string[]; occurrences: { path: string; line: number }[] };
type Line = { text: string; number: number };

/** All lines but blank ones and the imports of a test, of which each file has those it needs. */
function linesThatCount({ path, text }: Source): Line[] {
  let inImport = false;
  return text.split("\n").flatMap((raw, index) => {
    const line = raw.trim();
    if (path.endsWith(".ts") && line.startsWith("import ")) inImport = true;
    const counts = !inImport && line !== "";
    if (line.endsWith(";")) inImport = false;
    return counts ? [{ text: line, number: index + 1 }] : [];
  });
}

/** Runs that occur more often than accepted, in any file. Longer ones are reported by their first lines. */
export function findRepeats(sources: readonly Source[]): Repeat[] {
  const files = sources.map((source) => ({ path: source.path, lines: linesThatCount(source) }));
  const starts = new Map<string, { file: number; at: number }[]>();
  for (const [file, { lines }] of files.entries()) {
    for (let at = 0; at + runLength <= lines.length; at++) {
      const run = lines
        .slice(at, at + runLength)
        .map(({ text }) => text)
        .join("\n");
      const earlier = starts.get(run) ?? [];
      const last = earlier.at(-1);
      const overlaps = last?.file === file && at < last.at + runLength;
      if (!overlaps) starts.set(run, [...earlier, { file, at }]);
    }
  }
  const reported = new Set<string>();
  return [...starts].flatMap(([run, all]) => {
    if (all.length <= maxOccurrences) return [];
    const continues = all.every(({ file, at }) => reported.has(`${file}:${at - 1}`));
    for (const { file, at } of all) reported.add(`${file}:${at}`);
    const occurrences = all.map(({ file, at }) => ({
      path: files[file]!.path,
      line: files[file]!.lines[at]!.number,
    }));
    return continues ? [] : [{ lines: run.split("\n"), occurrences }];
  });
}

/** Splits off the runs that an exception accepts; names the exceptions that accept none. */
export function applyExceptions(
  repeats: readonly Repeat[],
  list: readonly Exception[],
): { faults: Repeat[]; unused: Exception[] } {
  const used = new Set<Exception>();
  const faults = repeats.filter(({ lines, occurrences }) => {
    const exception = list.find(
      ({ path, line }) =>
        lines.some((text) => text === line || text.startsWith(`${line} #`)) &&
        occurrences.every((one) => one.path.startsWith(path)),
    );
    if (exception !== undefined) used.add(exception);
    return exception === undefined;
  });
  return { faults, unused: list.filter((exception) => !used.has(exception)) };
}

const checked = "{lib,nomad,scripts,services}/**/*.{test.ts,test.tsx,nomad.hcl}";

if (import.meta.main) {
  const root = join(import.meta.dir, "../..");
  const paths = (await Array.fromAsync(new Bun.Glob(checked).scan({ cwd: root }))).toSorted();
  const sources = await Promise.all(
    paths.map(async (path) => ({ path, text: await Bun.file(join(root, path)).text() })),
  );
  const { faults, unused } = applyExceptions(findRepeats(sources), exceptions);
  for (const { lines, occurrences } of faults) {
    console.error(`${occurrences.map(({ path, line }) => `${path}:${line}`).join(" ")}: ${runLength} equal lines`);
    for (const line of lines) console.error(`    ${line}`);
  }
  for (const { line } of unused) console.error(`scripts/testing/repeats.ts: no run needs the exception "${line}"`);
  if (faults.length > 0) console.error(`${faults.length} runs occur more than twice: share them in a function`);
  process.exit(faults.length + unused.length > 0 ? 1 : 0);
}
