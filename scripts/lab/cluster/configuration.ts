import { totalmem } from "node:os";
import { join } from "node:path";
import { gossipFile, nodeFile } from "../../cli/agents/configuration.ts";
import type { Agent } from "../../cli/agents/configuration.ts";
import { certificateOf } from "../../cli/certs/certificates.ts";
import { root } from "../../stack/environment.ts";
import { host } from "./host.ts";
import { folderOf } from "./node.ts";
import type { Cluster } from "./node.ts";
import type { ClusterNode } from "./layout.ts";

/** The files that `task install:agents` writes for a node, with the folders of one that shares its machine. */
export async function configurationOf(cluster: Cluster, node: ClusterNode, agent: Agent): Promise<string> {
  const { nodes, clients } = cluster.layout;
  const configuration = {
    folder: cluster,
    nodes,
    node,
    dataOf: (of: Agent) => join(folderOf(cluster, node), of),
    logOf: (of: Agent) => join(folderOf(cluster, node), `${of}.log`),
    tls: certificateOf(cluster, node.name),
    // An equal part of the machine.
    client: `memory_total_mb = ${Math.floor(totalmem() / 1024 / 1024 / clients.length)}\n`,
  };
  const parts = [await nodeFile(configuration, agent), await gossipFile(configuration, agent)];
  if (agent === "nomad" && node.role === "client")
    parts.push(`client {\nchroot_env {\n${await chrootEntries()}\n}\n}\n`);
  return parts.join("");
}

const chrootEntries = (): Promise<string> =>
  host("bash", "-euc", 'source "$1/scripts/lib/chroot.sh"; chroot_entries "$2"', "bash", root, process.execPath);
