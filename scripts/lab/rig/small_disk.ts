import { mkdirSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";

/** A separate file system that can be filled up. */
export type SmallDisk = {
  readonly path: string;
  /** Fills all free space. */
  fill(): Promise<void>;
  /** Frees the space. */
  free(): void;
  unmount(): void;
};

export function mountSmallDisk(path: string, megabytes: number): SmallDisk {
  mkdirSync(path, { recursive: true });
  run("mount", "-t", "tmpfs", "-o", `size=${megabytes}m,mode=0700`, "prosaas-rig", path);
  const filler = join(path, "filler");
  const unmount = () => run("umount", "-l", path);
  process.once("exit", unmount);
  return {
    path,
    fill: () => fillUp(filler),
    free: () => rmSync(filler, { force: true }),
    unmount: () => {
      process.off("exit", unmount);
      unmount();
    },
  };
}

/** Writes ever smaller pieces until the last page is used. */
async function fillUp(path: string): Promise<void> {
  const file = await open(path, "a");
  try {
    for (let size = 1024 * 1024; size >= 4096;) {
      const written = await file.write(Buffer.alloc(size)).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
        return { bytesWritten: 0 };
      });
      if (written.bytesWritten < size) size /= 2;
    }
  } finally {
    await file.close();
  }
}

function run(...command: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0)
    throw new Error(`${command.join(" ")} needs root and a kernel that lets it mount: ${stderr.toString().trim()}`);
}
