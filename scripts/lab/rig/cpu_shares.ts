import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

/*
 * CPU shares as Nomad sets them: a control group for each task, whose weight counts only while the CPUs are busy.
 * Without them the kernel would divide the CPUs by session or thread: forty connections of PostgreSQL, which makes a
 * session of each, would take forty parts, and the client's own work as much as a service.
 */

export type CpuShares = {
  /** Holds the groups. */
  folder: string;
  /** Moves a process, and what it starts from now on, into the group `name`. An ended process is ignored. */
  assign(name: string, pid: number): void;
  /** Removes the groups; their processes must have ended, or return to where they came from. */
  remove(): void;
};

/** Of a rig's folder; the rig's process id follows. */
const prefix = "prosaas-rig-";

/** The hierarchy that holds the cpu controller: its file of a group's weight, and the group to build in. */
type Hierarchy = { base: string; weightFile: string };

/**
 * Creates a group for each name with its share. Throws where the kernel or the user's rights do not allow it.
 */
export function createCpuShares(shares: Readonly<Record<string, number>>): CpuShares {
  const { base, weightFile } = cpuHierarchy();
  removeStale(base);
  const folder = join(base, `${prefix}${process.pid}`);
  const groups = Object.keys(shares).map((name) => join(folder, name));
  const remove = () => removeGroups(base, folder);
  try {
    mkdirSync(folder);
    if (weightFile === "cpu.weight") appendFileSync(join(folder, "cgroup.subtree_control"), "+cpu");
    for (const group of groups) {
      mkdirSync(group);
      writeFileSync(join(group, weightFile), String(shares[basename(group)]));
    }
  } catch (error) {
    remove();
    throw error;
  }
  return { folder, assign: (name, pid) => move(join(folder, name), pid), remove };
}

/** Removes the groups of rigs that were killed. */
function removeStale(base: string): void {
  for (const name of readdirSync(base)) {
    if (!name.startsWith(prefix) || existsSync(`/proc/${name.slice(prefix.length)}`)) continue;
    // Another rig may remove it at the same time.
    try {
      removeGroups(base, join(base, name));
    } catch {}
  }
}

/** Removes the groups in `folder`. Processes that still run return to `base` first. */
function removeGroups(base: string, folder: string): void {
  if (!existsSync(folder)) return;
  const entries = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const group of entries.map(({ name }) => join(folder, name))) {
    for (const pid of pidsOf(group)) move(base, pid);
    rmdirSync(group);
  }
  rmdirSync(folder);
}

/** Version 1 has a hierarchy of its own for the controller; version 2 has one for all, and builds below its root. */
function cpuHierarchy(): Hierarchy {
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
  for (const [, path = "", type = "", options = ""] of mounts.map((line) => line.split(" "))) {
    if (type === "cgroup" && options.split(",").includes("cpu"))
      return { base: join(path, ownGroup()), weightFile: "cpu.shares" };
    if (type === "cgroup2" && readFileSync(join(path, "cgroup.controllers"), "utf8").split(/\s/).includes("cpu"))
      return { base: path, weightFile: "cpu.weight" };
  }
  throw new Error("no control group hierarchy has the cpu controller");
}

/** This process's group in the hierarchy of the cpu controller, version 1. */
function ownGroup(): string {
  const line = readFileSync("/proc/self/cgroup", "utf8").split("\n");
  const own = line.map((one) => one.split(":")).find(([, controllers = ""]) => controllers.split(",").includes("cpu"));
  return own?.slice(2).join(":") ?? "/";
}

function pidsOf(group: string): number[] {
  return readFileSync(join(group, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
}

function move(group: string, pid: number): void {
  try {
    writeFileSync(join(group, "cgroup.procs"), String(pid));
  } catch (error) {
    if ((error as { code?: string }).code !== "ESRCH") throw error;
  }
}
