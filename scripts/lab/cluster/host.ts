import { runProgram } from "../../stack/program.ts";

/** Runs a program of the machine and returns what it printed. @throws Error with its message if it fails */
export async function host(...command: string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(command, { cwd: "/" });
  if (code !== 0) throw new Error(`${command.join(" ")} failed: ${(stderr || stdout).trim()}`);
  return stdout;
}

/** As {@link host}; returns null if the program fails. */
export async function tryHost(...command: string[]): Promise<string | null> {
  const { code, stdout } = await runProgram(command, { cwd: "/" });
  return code === 0 ? stdout : null;
}
