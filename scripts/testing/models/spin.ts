import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type Checked = {
  /** The assertion that a run violates; undefined if none does. */
  violation: string | undefined;
  /** True if every reachable state was visited. */
  isComplete: boolean;
  states: number;
  seconds: number;
};

export type CheckOptions = {
  file: string;
  /** Macros, as in "REQUIRED=1". */
  defines?: readonly string[];
  /** Seconds after which an unfinished search is ended. */
  deadlineS?: number;
  /** True to optimise the search program. GCC needs 5 s of CPU time for that, which only a long search saves. */
  optimize?: boolean;
};

/** Memory of a search, MB. */
const memoryMb = 4_000;
/** Steps of the longest path that is followed. */
const maxDepth = 1_000_000;

/** Searches every reachable state of a Promela model for a violated assertion, with SPIN. */
export async function checkModel({
  file,
  defines = [],
  deadlineS = 600,
  optimize = false,
}: CheckOptions): Promise<Checked> {
  const folder = await mkdtemp(join(tmpdir(), "prosaas-model-"));
  try {
    await command(folder, ["spin", "-a", ...defines.map((define) => `-D${define}`), file]);
    await command(folder, [
      "gcc",
      optimize ? "-O2" : "-O0",
      "-w",
      "-DSAFETY",
      "-DCOLLAPSE",
      `-DMEMLIM=${memoryMb}`,
      "-o",
      "pan",
      "pan.c",
    ]);
    const began = performance.now();
    // -E: a process that has nothing to do is no fault; the models end by a bound.
    const output = await command(folder, ["timeout", `${deadlineS}`, "./pan", `-m${maxDepth}`, "-E", "-n"], [0, 124]);
    return { ...parseReport(output), seconds: (performance.now() - began) / 1000 };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** @throws Error if the search was cut short by a bound: then it proves nothing. */
export function parseReport(output: string): Omit<Checked, "seconds"> {
  const violation = /^pan:\d+: (.*)$/m.exec(output)?.[1];
  const stored = /^\s*(\d+) states, stored/m.exec(output)?.[1];
  const limit = /max search depth too small|out of memory|search not completed/i.exec(output)?.[0];
  if (violation === undefined && limit !== undefined) throw new Error(`the search is incomplete: ${limit}`);
  const isComplete = violation === undefined && /errors: 0\b/.test(output) && stored !== undefined;
  return { violation, isComplete, states: Number(stored ?? 0) };
}

async function command(folder: string, words: string[], codes: readonly number[] = [0]): Promise<string> {
  const child = Bun.spawn(words, { cwd: folder, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [output, errors, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (codes.includes(code)) return output;
  throw new Error(`${words[0]} exited with ${code}: ${(errors || output).slice(-2_000)}`);
}

/** The settings of a model, each a macro with its value: its line "Settings: A=1 A=2". */
export function settingsOf(model: string): string[] {
  const settings = /^ \* Settings: (.+)$/m.exec(model)?.[1]?.split(" ");
  if (settings === undefined) throw new Error("the model has no line of its settings");
  return settings;
}

/** The macros that remove a rule of a model. */
export function mutationsOf(model: string): string[] {
  return [...new Set(model.match(/\bMUTATE_[A-Z]+(?:_[A-Z]+)*/g))].toSorted();
}
