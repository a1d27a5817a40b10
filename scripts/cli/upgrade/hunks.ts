export type Hunk = {
  file: string;
  /** The line of the unpatched file at which the hunk starts, from 1. */
  line: number;
  lines: { sign: " " | "+" | "-"; text: string }[];
};

/**
 * `applies`: at its line; `shifted`: elsewhere in the file; `contained`: the file has the new lines already, so that
 * the hunk can be deleted; `conflict`: the file has neither; `no_file`: the package has no such file.
 */
export type Fit = "applies" | "shifted" | "contained" | "conflict" | "no_file";

export type Verdict = { hunk: Hunk; fit: Fit; /** First line of the hunk now, from 1. */ line: number };

/** True if a hunk stops nothing: it is in force, or the package no longer needs it. */
export const isSettled = ({ fit }: Pick<Verdict, "fit">) => fit !== "conflict" && fit !== "no_file";

const isInForce = ({ fit }: Verdict) => fit === "applies" || fit === "shifted";

/** Parses a unified diff between files of the same name. */
export function parsePatch(patch: string): Hunk[] {
  const hunks: Hunk[] = [];
  let file = "";
  // Lines of the current hunk that are still to come, on its old and its new side.
  let [old, added] = [0, 0];
  for (const line of patch.split("\n")) {
    const sign = line[0];
    if ((old > 0 || added > 0) && (sign === " " || sign === "+" || sign === "-")) {
      hunks.at(-1)!.lines.push({ sign, text: line.slice(1) });
      if (sign !== "+") old--;
      if (sign !== "-") added--;
      continue;
    }
    const name = /^\+\+\+ b\/(.+)$/.exec(line)?.[1];
    if (name !== undefined) file = name;
    const range = /^@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(line);
    if (range === null) continue;
    [old, added] = [Number(range[2] ?? 1), Number(range[3] ?? 1)];
    hunks.push({ file, line: Number(range[1]), lines: [] });
  }
  if (old > 0 || added > 0) throw new Error(`the last hunk of ${file} is incomplete`);
  return hunks;
}

/** Compares each hunk with the unpatched files. `read` returns undefined for a file that does not exist. */
export function fitHunks(hunks: readonly Hunk[], read: (file: string) => string | undefined): Verdict[] {
  const files = new Map<string, string[] | undefined>();
  const drifts = new Map<string, number>();
  return hunks.map((hunk) => {
    if (!files.has(hunk.file)) files.set(hunk.file, read(hunk.file)?.split("\n"));
    const lines = files.get(hunk.file);
    if (lines === undefined) return { hunk, fit: "no_file", line: hunk.line };
    // Lines that a release adds or removes above one hunk shift the next hunks by as much.
    const expected = hunk.line - 1 + (drifts.get(hunk.file) ?? 0);
    const at = nearest(lines, sideOf(hunk, "-"), expected);
    if (at !== undefined) {
      drifts.set(hunk.file, at - (hunk.line - 1));
      return { hunk, fit: at === hunk.line - 1 ? "applies" : "shifted", line: at + 1 };
    }
    const contained = nearest(lines, sideOf(hunk, "+"), expected);
    return contained === undefined
      ? { hunk, fit: "conflict", line: hunk.line }
      : { hunk, fit: "contained", line: contained + 1 };
  });
}

/** A patch of the hunks that apply, at their present lines: equal lines elsewhere in a file stay as they are. */
export function rebasedPatch(verdicts: readonly Verdict[]): string {
  const text: string[] = [];
  let file = "";
  let delta = 0;
  for (const { hunk, line } of verdicts.filter(isInForce).toSorted(byFileAndLine)) {
    if (hunk.file !== file) {
      [file, delta] = [hunk.file, 0];
      text.push(`diff --git a/${file} b/${file}`, `--- a/${file}`, `+++ b/${file}`);
    }
    const [old, added] = [sideOf(hunk, "-").length, sideOf(hunk, "+").length];
    text.push(`@@ -${line},${old} +${line + delta},${added} @@`);
    text.push(...hunk.lines.map(({ sign, text: content }) => `${sign}${content}`));
    delta += added - old;
  }
  return text.length === 0 ? "" : `${text.join("\n")}\n`;
}

const byFileAndLine = (a: Verdict, b: Verdict) =>
  a.hunk.file === b.hunk.file ? a.line - b.line : a.hunk.file < b.hunk.file ? -1 : 1;

/** The lines of a hunk before ("-") or after ("+") it is applied. */
const sideOf = (hunk: Hunk, side: "+" | "-"): string[] =>
  hunk.lines.filter(({ sign }) => sign === " " || sign === side).map(({ text }) => text);

/** The index at which `wanted` is found, the nearest to `expected`. */
function nearest(lines: readonly string[], wanted: readonly string[], expected: number): number | undefined {
  let found: number | undefined;
  for (let at = 0; at + wanted.length <= lines.length; at++) {
    if (!wanted.every((line, index) => lines[at + index] === line)) continue;
    if (found === undefined || Math.abs(at - expected) < Math.abs(found - expected)) found = at;
  }
  return found;
}
