import { closeSync, openSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "../../../lib/core/time.ts";
import { writeStateFile } from "../../stack/state_file.ts";
import { cgroupsOf, createCgroups, destroyCgroups } from "./cgroups.ts";
import { host } from "./host.ts";
import type { ClusterNode, Layout } from "./layout.ts";

/** A cluster on this machine: its parts, and the folder with its data. */
export type Cluster = { readonly layout: Layout; readonly state: string };

/** A set of processes that ends as one: a node, or what serves the nodes from outside. */
export type Member = Pick<ClusterNode, "name">;

/** Programs on the machine itself, such as the server of releases. */
export const outside: Member = { name: "outside" };

/** The disk of a node: it outlives a power cut. */
export const folderOf = ({ state }: Cluster, { name }: Member): string => join(state, "nodes", name);

const pidFile = (cluster: Cluster, member: Member, program: string) =>
  join(folderOf(cluster, member), `${program}.pid`);

/** The pid that was recorded for a program; null if its process has ended. */
export async function pidOf(cluster: Cluster, member: Member, program: string): Promise<number | null> {
  const pid = Number(await readFile(pidFile(cluster, member, program), "utf8").catch(() => ""));
  if (!(pid > 0)) return null;
  // Ended, but not yet reaped by its parent.
  if (/^State:\s+Z/m.test(await readFile(`/proc/${pid}/status`, "utf8").catch(() => ""))) return null;
  // The pid may have been given to another process since.
  const cgroups = await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "");
  return new RegExp(`/${cluster.layout.prefix}/${member.name}(/|$)`, "m").test(cgroups) ? pid : null;
}

/** The command line of a script of this folder. */
export const script = (name: string) => ["sh", join(import.meta.dir, name)];

/** Starts the node's first process, whose namespaces its agents enter. */
export async function boot(cluster: Cluster, node: ClusterNode): Promise<void> {
  await host("ip", "link", "set", node.link, "up");
  const cgroups = await createCgroups(cluster.layout, node);
  const command = ["nsenter", `--net=/run/netns/${node.namespace}`, ...script("boot.sh"), ...cgroups];
  await start(cluster, node, { name: "init", program: "sleep" }, command);
}

/** Starts a program in the node that outlives this process. */
export async function startInNode(
  cluster: Cluster,
  node: ClusterNode,
  name: string,
  command: readonly string[],
): Promise<void> {
  const enter = await entranceOf(cluster, node);
  await start(cluster, node, { name, program: name }, [...enter, ...command]);
}

/** Runs a program in the node to its end. @throws Error with its message if it fails */
export const runInNode = async (cluster: Cluster, node: ClusterNode, ...command: string[]): Promise<string> =>
  host(...(await entranceOf(cluster, node)), ...command);

/** The command line before a program's own that lets it join the node. */
async function entranceOf(cluster: Cluster, node: ClusterNode): Promise<string[]> {
  const init = await pidOf(cluster, node, "init");
  if (init === null) throw new Error(`${node.name} is down: task cluster -- restart ${node.name}`);
  const cgroups = await cgroupsOf(cluster.layout, node);
  const enter = ["nsenter", "--target", String(init), "--net", "--mount", "--cgroup", "--"];
  return [...script("join.sh"), ...cgroups, "--", ...enter];
}

/** Starts a program on the machine that ends with the cluster. */
export async function startOutside(
  cluster: Cluster,
  names: ProgramNames,
  command: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<void> {
  const cgroups = await createCgroups(cluster.layout, outside);
  await start(cluster, outside, names, [...script("join.sh"), ...cgroups, "--", ...command], environment);
}

/** The name of a program in the cluster, and that of its process. */
type ProgramNames = { name: string; program: string };

/** Returns when a process of the program's name has taken the shell's. */
async function start(
  cluster: Cluster,
  member: Member,
  { name, program }: ProgramNames,
  command: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<void> {
  await mkdir(folderOf(cluster, member), { recursive: true, mode: 0o700 });
  const log = join(folderOf(cluster, member), `${name}.stderr`);
  const file = openSync(log, "a", 0o600);
  // Tasks inherit the client's environment. A terminal's signals do not reach another session.
  const env = { PATH: process.env["PATH"]!, HOME: process.env["HOME"] ?? "/root", LANG: "C.UTF-8", ...environment };
  const child = Bun.spawn(["setsid", ...command], { cwd: "/", env, stdio: ["ignore", file, file] });
  closeSync(file);
  child.unref();
  await writeStateFile(pidFile(cluster, member, name), String(child.pid));
  const end = performance.now() + 5_000;
  while ((await readFile(`/proc/${child.pid}/comm`, "utf8").catch(() => "")).trim() !== program) {
    if (child.exitCode !== null || performance.now() > end) {
      const reason = (await readFile(log, "utf8")).trim().split("\n").slice(-5).join("\n");
      throw new Error(`${name} did not start on ${member.name} (${log}):\n${reason}`);
    }
    await sleep(20);
  }
}

/** Cuts the node's power: its processes end without a word to anyone. Its disk stays. */
export async function powerOff({ layout }: Cluster, node: ClusterNode): Promise<void> {
  // First, because the kernel closes the connections of a process that ends.
  await host("ip", "link", "set", node.link, "down");
  await destroyCgroups(await cgroupsOf(layout, node));
}
