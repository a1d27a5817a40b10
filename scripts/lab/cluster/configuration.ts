import { totalmem } from "node:os";
import { join } from "node:path";
import { root } from "../../stack/environment.ts";
import { agentToken, certificateOf, readSecret } from "./credentials.ts";
import { host } from "./host.ts";
import { folderOf } from "./node.ts";
import type { Cluster } from "./node.ts";
import type { ClusterNode, Layout } from "./layout.ts";

/*
 * The files of single nodes, beside the production files in consul/agent and nomad/agent: names, addresses, folders,
 * and what is secret. nomad/README.md shows the same for an operator.
 */

export const consulHttps = 8501;

/** The node pool of each client. A single one takes everything; of several, the first has the data. */
export function poolOf({ clients }: Layout, { name }: ClusterNode): "default" | "data" | "platform" {
  if (clients.length === 1) return "default";
  return name === clients[0]!.name ? "data" : "platform";
}

/** The clients with an edge, by the address that stands in a DNS record. */
export const edgesOf = (layout: Layout): ClusterNode[] =>
  layout.clients.filter((node) => layout.clients.length === 1 || poolOf(layout, node) !== "data");

const list = (nodes: readonly ClusterNode[]) => JSON.stringify(nodes.map(({ address }) => address));

export function configurationOf(cluster: Cluster, node: ClusterNode, agent: "consul" | "nomad"): Promise<string> {
  if (agent === "consul") return consul(cluster, node);
  return node.role === "server" ? nomadServer(cluster, node) : nomadClient(cluster, node);
}

const head = (cluster: Cluster, node: ClusterNode, agent: "consul" | "nomad") => `
${agent === "consul" ? "node_name" : "name"} = "${node.name}"
data_dir  = "${join(folderOf(cluster, node), agent)}"
log_file  = "${join(folderOf(cluster, node), `${agent}.log`)}"
bind_addr = "${node.address}"
`;

const certificates = (cluster: Cluster, node: ClusterNode) => {
  const { ca, certificate, key } = certificateOf(cluster, node.name);
  return `ca_file = "${ca}"\ncert_file = "${certificate}"\nkey_file = "${key}"`;
};

async function consul(cluster: Cluster, node: ClusterNode): Promise<string> {
  const { servers } = cluster.layout;
  const common = `${head(cluster, node, "consul")}
retry_join = ${list(servers)}
encrypt    = "${await readSecret(cluster, "consul-gossip")}"
tls {
  defaults {
    ${certificates(cluster, node)}
  }
}
`;
  const agent = await readSecret(cluster, agentToken(node));
  if (node.role === "client") return `${common}acl {\n  tokens {\n    agent = "${agent}"\n  }\n}\n`;
  return `${common}
bootstrap_expect = ${servers.length}
addresses {
  https = "${node.address}"
}
acl {
  tokens {
    initial_management = "${await readSecret(cluster, "consul-management")}"
    agent              = "${agent}"
  }
}
`;
}

async function nomadServer(cluster: Cluster, node: ClusterNode): Promise<string> {
  const { servers } = cluster.layout;
  return `${head(cluster, node, "nomad")}
# Consul on this node fetches the keys of identities from loopback.
addresses {
  http = "${node.address} 127.0.0.1"
}
server {
  bootstrap_expect = ${servers.length}
  encrypt          = "${await readSecret(cluster, "nomad-gossip")}"
  server_join {
    retry_join = ${list(servers)}
  }
}
consul {
  token = "${await readSecret(cluster, "consul-nomad-server")}"
}
tls {
  ${certificates(cluster, node)}
}
`;
}

async function nomadClient(cluster: Cluster, node: ClusterNode): Promise<string> {
  const { layout } = cluster;
  return `${head(cluster, node, "nomad")}
client {
  node_pool         = "${poolOf(layout, node)}"
  network_interface = "eth0"
  # An equal part of the machine.
  memory_total_mb = ${Math.floor(totalmem() / 1024 / 1024 / layout.clients.length)}

  server_join {
    retry_join = ${list(layout.servers)}
  }
  host_volume "usr" {
    path      = "/usr"
    read_only = true
  }
  chroot_env {
${await chrootEntries()}
  }
}
consul {
  token = "${await readSecret(cluster, "consul-nomad-client")}"
}
tls {
  ${certificates(cluster, node)}
}
`;
}

/** As on a single machine. */
const chrootEntries = (): Promise<string> =>
  host("bash", "-euc", 'source "$1/scripts/lib/agents.sh"; agents_chroot_entries', "bash", root);
