import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../../../lib/core/errors.ts";

const held = 75;

/**
 * Lets one command at a time change a cluster. The kernel frees the lock when this process ends, however it ends: the
 * child that holds it reads from this process.
 * @throws AppError if another command holds it
 */
export async function lockCluster(name: string): Promise<{ release(): Promise<void> }> {
  const folder = "/run/lock/prosaas";
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const command = ["setsid", "flock", "-n", "-E", String(held), join(folder, name), "sh", "-c", "echo; exec cat"];
  const child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  const reader = child.stdout.getReader();
  const { done } = await reader.read();
  if (done) {
    const code = await child.exited;
    throw code === held
      ? new AppError("conflict", `Another command is changing the cluster "${name}": wait for it.`)
      : new Error(`flock exited ${code}`);
  }
  return {
    release: async () => {
      await child.stdin.end();
      await child.exited;
    },
  };
}
