import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "../../../lib/core/time.ts";
import { cgroupsOf } from "../cluster/cgroups.ts";
import { host, tryHost } from "../cluster/host.ts";
import type { ClusterNode } from "../cluster/layout.ts";
import { boot, folderOf, outside, pidOf, runInNode, script, startInNode } from "../cluster/node.ts";
import type { Cluster } from "../cluster/node.ts";

/*
 * Nodes of the lab as the guide expects them: a bare Debian each, whose first process is systemd. Files that
 * `task install:agents` writes lie in folders of the node; all nodes share the folder of programs.
 */

const ownFolders = ["/etc/prosaas", "/var/lib/prosaas", "/etc/systemd/system"];
const programs = "/opt/prosaas";

/** Debian's units would start every service of this machine once more, and its generators those of /etc/init.d. */
const units = "/usr/lib/systemd/system";
const generators = "/usr/lib/systemd/system-generators";

const targets = {
  "sysinit.target": "",
  "shutdown.target": "",
  "network-online.target": "",
  "basic.target": "Requires=sysinit.target\n",
  "multi-user.target": "Requires=basic.target\nAllowIsolate=yes\n",
};

const UP_WITHIN_MS = 20_000;

/** Where a folder of a node lies on this machine. */
export const onMachine = (cluster: Cluster, node: ClusterNode, path: string): string =>
  join(folderOf(cluster, node), path);

/** Boots a node that has nothing of ProSaaS, or what was installed on it before it was powered off. */
export async function bootBare(cluster: Cluster, node: ClusterNode): Promise<void> {
  if ((await pidOf(cluster, node, "init")) !== null) return;
  const binds = [
    ...[...ownFolders, units, generators].map((path) => [onMachine(cluster, node, path), path] as const),
    [join(folderOf(cluster, outside), programs), programs] as const,
  ];
  for (const folder of binds.flat()) await mkdir(folder, { recursive: true });
  for (const [name, lines] of Object.entries({ ...targets, "default.target": "Requires=multi-user.target\n" }))
    await writeFile(onMachine(cluster, node, join(units, name)), `[Unit]\nDefaultDependencies=no\n${lines}`);
  await boot(cluster, node);
  for (const [source, target] of binds) await runInNode(cluster, node, "mount", "--bind", source, target);
  await runInNode(cluster, node, "mount", "-t", "tmpfs", "none", "/run");
  const namespaces = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
  // By this variable systemd knows that the kernel's settings and devices are not its own.
  const systemd = ["env", "-i", "container=prosaas", "/lib/systemd/systemd", "--system", "--log-target=null"];
  await startInNode(cluster, node, "unshare", [...namespaces, ...systemd]);
  const end = performance.now() + UP_WITHIN_MS;
  while ((await tryOnBare(cluster, node, "systemctl", "is-active", "multi-user.target")) === null) {
    if (performance.now() > end) throw new Error(`systemd does not start on ${node.name}`);
    await sleep(50);
  }
}

/** The command line before a program's own that lets it join the node as a login of root's does. */
export async function loginOf(cluster: Cluster, node: ClusterNode): Promise<string[]> {
  const parent = await pidOf(cluster, node, "unshare");
  const children = await readFile(`/proc/${parent}/task/${parent}/children`, "utf8").catch(() => "");
  const [systemd] = children.trim().split(" ");
  if (!systemd) throw new Error(`${node.name} is down`);
  const enter = ["nsenter", "--target", systemd, "--net", "--mount", "--pid", "--cgroup", "--"];
  const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const cgroups = await cgroupsOf(cluster.layout, node);
  return [...script("join.sh"), ...cgroups, "--", ...enter, "env", "-i", path, "HOME=/root"];
}

/** Runs a program on a node to its end. @throws Error with its message if it fails */
export const onBare = async (cluster: Cluster, node: ClusterNode, ...command: string[]): Promise<string> =>
  host(...(await loginOf(cluster, node)), ...command);

/** As {@link onBare}; null if the program fails, or the node is down. */
export async function tryOnBare(cluster: Cluster, node: ClusterNode, ...command: string[]): Promise<string | null> {
  const login = await loginOf(cluster, node).catch(() => null);
  return login === null ? null : tryHost(...login, ...command);
}

/** Removes the mount points from this machine, unless something is in them. */
export async function removeMountPoints(): Promise<void> {
  for (const path of [...ownFolders, programs].filter((one) => one.endsWith("/prosaas")))
    if ((await readdir(path).catch(() => ["missing"])).length === 0) await rmdir(path);
}

/**
 * Writes programs `ssh`, which reaches the nodes, and `scp`, which copies to the server of releases. Returns their
 * folder, to be the first on PATH.
 */
export async function writeRemotePrograms({ layout, state }: Cluster, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const program = `PROSAAS_STATE_DIR='${state}' exec '${process.execPath}' run '${join(import.meta.dir, "ssh.ts")}'`;
  const ssh = `#!/bin/sh\n${program} ${layout.name} "$@"\n`;
  // The last argument is the folder of the web server.
  const scp = `#!/bin/sh
for last; do :; done
for file; do
  case $file in -* | "$last") ;; *) cp "$file" '${state}/releases/' ;; esac
done
`;
  for (const [name, text] of Object.entries({ ssh, scp })) await writeFile(join(folder, name), text, { mode: 0o755 });
  return folder;
}
