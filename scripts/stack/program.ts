export type Ended = { code: number; stdout: string; stderr: string };

export type ProgramOptions = {
  cwd: string;
  /** The whole environment; by default that of this process. */
  env?: Readonly<Record<string, string | undefined>>;
  stdin?: string;
};

/** Runs a program to its end and returns what it printed, whatever its exit code. */
export async function runProgram(
  command: readonly string[],
  { cwd, env = process.env, stdin }: ProgramOptions,
): Promise<Ended> {
  const child = Bun.spawn([...command], {
    cwd,
    env,
    stdin: stdin === undefined ? "ignore" : new Blob([stdin]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}
