import { readFile } from "node:fs/promises";
import { cgroupsOf, processesIn } from "./cgroups.ts";
import type { ClusterNode } from "./layout.ts";
import type { Cluster } from "./node.ts";

/** The process of a task, which Nomad's executor started. */
export type TaskProcess = { node: string; allocation: string; pid: number; command: string };

const read = (path: string) => readFile(path, "utf8").catch(() => "");

/** The processes of the tasks of these nodes; the children that a task started itself are left out. */
export async function taskProcesses(cluster: Cluster, nodes: readonly ClusterNode[]): Promise<TaskProcess[]> {
  const all = await Promise.all(nodes.map((node) => tasksOf(cluster, node)));
  return all.flat();
}

async function tasksOf(cluster: Cluster, node: ClusterNode): Promise<TaskProcess[]> {
  const pids = await processesIn(await cgroupsOf(cluster.layout, node));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const [cgroup, stat, command] = await Promise.all(
        ["cgroup", "stat", "cmdline"].map((file) => read(`/proc/${pid}/${file}`)),
      );
      const allocation = /\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\./.exec(cgroup!)?.[1];
      if (allocation === undefined) return null;
      // The parent is the second field after the name in parentheses.
      const parent = stat!.slice(stat!.lastIndexOf(")") + 2).split(" ")[1];
      if (!(await read(`/proc/${parent}/cmdline`)).includes("executor")) return null;
      return { node: node.name, allocation, pid, command: command!.replaceAll("\0", " ").trim() };
    }),
  );
  return found.filter((one) => one !== null);
}
