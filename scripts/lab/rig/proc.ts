import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";

/* Figures of /proc about a process and its descendants; an ended process counts 0. */

export const attempt = <T>(read: () => T, otherwise: T): T => {
  try {
    return read();
  } catch {
    return otherwise;
  }
};

/** True if the process runs; a zombie does not. */
export function isAlive(pid: number): boolean {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, "latin1"), "");
  return stat !== "" && !/^ [ZX]/.test(stat.slice(stat.lastIndexOf(")") + 1));
}

/** The process and its descendants; none if it does not run. */
export function treeOf(pid: number | undefined): number[] {
  if (pid === undefined) return [];
  const tasks = attempt(() => readdirSync(`/proc/${pid}/task`), []);
  const children = tasks.flatMap((task) => {
    const text = attempt(() => readFileSync(`/proc/${pid}/task/${task}/children`, "latin1"), "");
    return text.split(" ").filter(Boolean).map(Number);
  });
  return [pid, ...children.flatMap(treeOf)];
}

/**
 * MB of memory of a tree, as the limit of a Nomad task would count it: what is private of each, and once what they
 * share (the program's file, shared buffers).
 */
export function memoryMbOf(tree: readonly number[]): number {
  let [privateKb, fileKb, sharedKb] = [0, 0, 0];
  for (const pid of tree) {
    const status = attempt(() => readFileSync(`/proc/${pid}/status`, "latin1"), "");
    const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
    privateKb += field("RssAnon");
    fileKb = Math.max(fileKb, field("RssFile"));
    sharedKb = Math.max(sharedKb, field("RssShmem"));
  }
  return (privateKb + fileKb + sharedKb) / 1024;
}

/** Peak memory of a process in MB, as counted by the kernel, which misses no peak between two samples. */
export function peakMbOf(pid: number): number {
  const status = attempt(() => readFileSync(`/proc/${pid}/status`, "latin1"), "");
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
}

/** Bytes on disk under a folder, and of files opened there by `tree` that have no name any more. */
export function bytesUnder(folder: string, tree: readonly number[]): number {
  return bytesOfFolder(folder) + tree.reduce((sum, pid) => sum + bytesOfDeleted(folder, pid), 0);
}

function bytesOfFolder(folder: string): number {
  const entries = attempt(() => readdirSync(folder, { withFileTypes: true }), []);
  return entries.reduce((sum, entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sum + bytesOfFolder(path);
    return sum + attempt(() => statSync(path).blocks * 512, 0);
  }, 0);
}

/** nginx unlinks its temporary files as soon as they are open. */
function bytesOfDeleted(folder: string, pid: number): number {
  const files = attempt(() => readdirSync(`/proc/${pid}/fd`), []);
  return files.reduce((sum, fd) => {
    const path = attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`), "");
    if (!path.startsWith(`${folder}/`) || !path.endsWith(" (deleted)")) return sum;
    return sum + attempt(() => statSync(`/proc/${pid}/fd/${fd}`).blocks * 512, 0);
  }, 0);
}
