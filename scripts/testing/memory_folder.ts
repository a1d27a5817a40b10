import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const memory = "/dev/shm";
const prefix = "prosaas-test-";

/** The files of a run take up to 2 GB of memory; its processes need about as much. */
const neededBytes = 4 * 1024 ** 3;

/**
 * Creates the folder of a run's servers, in memory if there is enough: PostgreSQL copies a database there in a third of
 * the CPU time. Deletes the folders of runs that were killed, which would hold their memory until the next boot.
 */
export async function createServersFolder(): Promise<string> {
  await removeOrphans(memory);
  const { bavail, bsize } = await statfs(memory).catch(() => ({ bavail: 0, bsize: 0 }));
  const freeBytes = Math.min(bavail * bsize, availableBytes(), cgroupBytes());
  return mkdtemp(join(freeBytes >= neededBytes ? memory : tmpdir(), `${prefix}${process.pid}-`));
}

/** Deletes the folders of runs whose process is gone. */
export async function removeOrphans(parent: string): Promise<void> {
  for (const name of existsSync(parent) ? readdirSync(parent) : []) {
    const pid = /^prosaas-test-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) await rm(join(parent, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's process answers EPERM.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Memory that the machine can give to processes without swapping. */
function availableBytes(): number {
  const kilobytes = /^MemAvailable:\s+(\d+) kB$/m.exec(readIfPresent("/proc/meminfo"))?.[1];
  return kilobytes === undefined ? Number.POSITIVE_INFINITY : Number(kilobytes) * 1024;
}

/** Memory that the limits of this process's cgroup and its parents leave. Files in memory count towards them. */
export function cgroupBytes(root = "/sys/fs/cgroup", own = readIfPresent("/proc/self/cgroup")): number {
  const path = /^0::\/(.*)$/m.exec(own)?.[1] ?? "";
  const parts = path.split("/").filter((part) => part !== "" && part !== "..");
  const left = [...parts, ""].map((_, depth) => {
    const group = join(root, ...parts.slice(0, depth));
    const limit = Number.parseInt(readIfPresent(join(group, "memory.max")), 10);
    return limit - Number.parseInt(readIfPresent(join(group, "memory.current")), 10);
  });
  // "max" and a missing file set no limit.
  return Math.min(Number.POSITIVE_INFINITY, ...left.filter((bytes) => Number.isFinite(bytes)));
}

function readIfPresent(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
