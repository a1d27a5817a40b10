import { resultCommand } from "../cli/arguments.ts";
import { recordResult } from "./results.ts";

/** A command of the lab: prints its figures and records them on request. */
export const labCommand = (name: string, description: string) =>
  resultCommand(name, description).option("--record", "add the figures to scripts/lab/RESULTS.md", false);

/** Prints a line of progress to standard error. */
export const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Prints lines of progress with the seconds since now. */
export function sayTimed(): (line: string) => void {
  const began = performance.now();
  return (line) => say(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${line}`);
}

/** Prints the figures of a run and, with --record, adds them to RESULTS.md. */
export async function publish(
  name: string,
  { json, record }: { json: boolean; record: boolean },
  figures: Record<string, unknown>,
): Promise<void> {
  if (record) await recordResult(name, figures);
  console.log(json ? JSON.stringify(figures) : JSON.stringify(figures, null, 2));
}
