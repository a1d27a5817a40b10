import { createInterface } from "node:readline/promises";
import { AppError } from "../../lib/core/errors.ts";

/**
 * Asks before what cannot be undone, such as "delete wa-auth[2] and all its data". Throws what the command prints if
 * the answer is not yes, or if there is no terminal.
 */
export async function confirm(what: string): Promise<void> {
  if (!process.stdin.isTTY)
    throw new AppError("conflict", `This would ${what}. Nothing was changed; confirm with --yes.`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`This will ${what}. Type yes to continue: `);
  terminal.close();
  if (answer !== "yes") throw new AppError("conflict", "Nothing was changed.");
}
