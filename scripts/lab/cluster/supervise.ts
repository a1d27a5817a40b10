import { join } from "node:path";

/** In the environment of the child that does the work. */
const marker = "PROSAAS_CLUSTER_CHILD";

/** True in the child. */
export const isChild = (): boolean => process.env[marker] === "1";

/**
 * Runs this command again as a child that can be stopped at any point, and returns its exit code. An interrupt kills
 * the child and its programs; the code is then 130, and the caller removes what it made.
 */
export async function runAsChild(args: readonly string[]): Promise<number> {
  // A session of its own: a terminal's interrupt reaches this process only.
  const child = Bun.spawn(["setsid", "--wait", process.execPath, "run", join(import.meta.dir, "main.ts"), ...args], {
    env: { ...process.env, [marker]: "1" },
    stdin: "pipe",
    stdout: "inherit",
    stderr: "inherit",
  });
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  const code = await child.exited;
  return interrupted ? 130 : code;
}

/** In the child: ends it when its parent is gone, and with it the lock. */
export function endWithParent(): void {
  process.stdin.on("end", () => process.exit(1)).resume();
}
