import { join } from "node:path";

const root = join(import.meta.dir, "../..");

/**
 * Variables that every program needs. Below HOME, Bun finds the modules that it transpiled before; `./scripts/test int`
 * sets when the allocator returns memory.
 */
export const programEnv = (): Record<string, string> =>
  Object.fromEntries(
    ["PATH", "HOME", "mimalloc_purge_delay"].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );

/**
 * Returns the command line of a service's program, such as "services/api/main.ts". `./scripts/test int` bundles the
 * programs as a release does, because a bundle starts in half of the CPU time (TEST_PROGRAMS is their folder).
 * With `flags` the sources run: a module that `--preload` names may replace functions of theirs.
 */
export function programCommand(path: string, flags: readonly string[] = []): string[] {
  const bundles = process.env["TEST_PROGRAMS"];
  const bundled = bundles !== undefined && flags.length === 0;
  const file = bundled ? join(bundles, path.replace(/\.ts$/, ".js")) : join(root, path);
  return [process.execPath, "run", ...flags, file];
}
