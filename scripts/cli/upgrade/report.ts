import { table } from "../operator/table.ts";
import { isSettled } from "./hunks.ts";
import type { Fit } from "./hunks.ts";
import type { PatchVerdict } from "./scratch.ts";

export type Row = { check: string; passed: boolean; seconds?: number; detail: string };

const words: Readonly<Record<Fit, string>> = {
  applies: "applies",
  shifted: "applies at another line",
  contained: "contained in this version: delete the hunk",
  conflict: "does not apply: rewrite or delete the hunk",
  no_file: "the package has no such file: rewrite or delete the hunk",
};

/** A row for each hunk of the patches. */
export const hunkRows = (patches: readonly PatchVerdict[]): Row[] =>
  patches.flatMap(({ package: name, verdicts }) =>
    verdicts.map((verdict) => ({
      check: `${name} ${verdict.hunk.file}:${verdict.line}`,
      passed: isSettled(verdict),
      detail: words[verdict.fit],
    })),
  );

/** The verdict on a version: true if every check passed. A version without checks is not accepted. */
export const isAccepted = (rows: readonly Row[]) => rows.length > 0 && rows.every(({ passed }) => passed);

export const verdictTable = (rows: readonly Row[]): string =>
  table([
    ["CHECK", "VERDICT", "SECONDS", "DETAIL"],
    ...rows.map(({ check, passed, seconds, detail }) => [
      check,
      passed ? "ok" : "FAILED",
      seconds === undefined ? "" : seconds.toFixed(1),
      detail,
    ]),
  ]);
