import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { sleep } from "../../../lib/core/time.ts";
import type { ClusterNode, Layout } from "./layout.ts";

/*
 * A node's processes are in a cgroup of the node in every hierarchy. The node sees that cgroup as the root, so that its
 * Nomad client limits its own tasks only; and killing all that is in it is a power cut.
 */

/** Mount points of the machine's cgroup hierarchies: one for version 2, several for version 1. */
export async function hierarchies(): Promise<string[]> {
  const lines = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
  return lines.flatMap((line) => {
    const [fields, kind = ""] = line.split(" - ");
    return /^cgroup2? /.test(kind) ? [fields!.split(" ")[4]!] : [];
  });
}

/** The node's cgroup in every hierarchy. */
export async function cgroupsOf(
  { prefix }: Pick<Layout, "prefix">,
  { name }: Pick<ClusterNode, "name">,
): Promise<string[]> {
  return (await hierarchies()).map((root) => join(root, prefix, name));
}

export async function createCgroups(layout: Layout, node: Pick<ClusterNode, "name">): Promise<string[]> {
  const folders = await cgroupsOf(layout, node);
  for (const folder of folders) {
    for (const one of [dirname(folder), folder]) {
      await mkdir(one, { recursive: true });
      // In version 1 a new cpuset is empty, and no process may join it.
      for (const file of ["cpuset.cpus", "cpuset.mems"]) {
        const path = join(one, file);
        if (existsSync(path) && existsSync(join(one, "cpuset.cpu_exclusive")))
          await writeFile(path, await readFile(join(dirname(one), file), "utf8"));
      }
      await shareControllers(dirname(one));
    }
    if (await controllersOf(folder)) await mkdir(join(folder, "agents"), { recursive: true });
  }
  return folders;
}

/** The controllers of a cgroup of version 2; empty for version 1. */
const controllersOf = async (folder: string): Promise<string> =>
  (await readFile(join(folder, "cgroup.controllers"), "utf8").catch(() => "")).trim();

/** Version 2: gives the children of a cgroup its controllers. */
async function shareControllers(folder: string): Promise<void> {
  const controllers = await controllersOf(folder);
  if (controllers !== "")
    await writeFile(join(folder, "cgroup.subtree_control"), controllers.replaceAll(/(^| )/g, "$1+"));
}

/** A folder and all below it, the deepest first. */
async function treeOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const below = await Promise.all(
    entries.filter((entry) => entry.isDirectory()).map((entry) => treeOf(join(folder, entry.name))),
  );
  return existsSync(folder) ? [...below.flat(), folder] : [];
}

/** The processes in these cgroups and all below them. */
export async function processesIn(folders: readonly string[]): Promise<number[]> {
  const all = (await Promise.all(folders.map(treeOf))).flat();
  const lists = await Promise.all(all.map((folder) => readFile(join(folder, "cgroup.procs"), "utf8").catch(() => "")));
  return [...new Set(lists.flatMap((list) => list.split("\n").filter(Boolean).map(Number)))];
}

/** Ends every process in these cgroups at once, and removes the cgroups. */
export async function destroyCgroups(folders: readonly string[]): Promise<void> {
  const end = performance.now() + 20_000;
  for (;;) {
    const pids = await processesIn(folders);
    if (pids.length === 0) break;
    if (performance.now() > end) throw new Error(`these processes do not end: ${pids.join(", ")}`);
    // A process may start others until it ends: the next round finds them.
    for (const pid of pids) kill(pid);
    await sleep(50);
  }
  // The kernel releases a cgroup a moment after its last process is gone.
  for (let left = await trees(folders); left.length > 0; left = await trees(folders)) {
    for (const folder of left) await rmdir(folder).catch(() => {});
    if (performance.now() > end) throw new Error(`these cgroups cannot be removed: ${left.join(", ")}`);
    await sleep(20);
  }
}

const trees = async (folders: readonly string[]) => (await Promise.all(folders.map(treeOf))).flat();

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}
