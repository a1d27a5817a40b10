import { agentToken, readSecret } from "../certs/secrets.ts";
import type { CertificateFiles } from "../certs/certificates.ts";
import type { AgentNode, ClusterFolder } from "./nodes.ts";

/*
 * The files of a single node, beside those in consul/agent and nomad/agent: names, addresses, folders, and secrets.
 */

export type Agent = "consul" | "nomad";
export const consulHttps = 8501;

export type NodeConfiguration = {
  folder: ClusterFolder;
  nodes: readonly AgentNode[];
  node: AgentNode;
  /** The folder of an agent's data. */
  dataOf(agent: Agent): string;
  /** The file of an agent's log; without one, the journal has it. */
  logOf?(agent: Agent): string;
  /** Files of the node's certificate. Default: those in /etc/prosaas/tls. */
  tls?: CertificateFiles;
  /** Further lines of the block `client`. */
  client?: string;
};

const serversOf = ({ nodes }: NodeConfiguration) => nodes.filter(({ role }) => role === "server");
const join = (configuration: NodeConfiguration) =>
  JSON.stringify(serversOf(configuration).map(({ address }) => address));

/** The key with which an agent joins the others the first time; later it has the keys on its disk. */
export const gossipFile = async (
  { folder, node: { role } }: Pick<NodeConfiguration, "folder" | "node">,
  agent: Agent,
): Promise<string> => {
  const line = `encrypt = "${await readSecret(folder, `${agent}-gossip`)}"\n`;
  if (agent === "consul") return line;
  return role === "server" ? `server {\n  ${line}}\n` : "";
};

export function nodeFile(configuration: NodeConfiguration, agent: Agent): Promise<string> {
  if (agent === "consul") return consul(configuration);
  return configuration.node.role === "server" ? nomadServer(configuration) : nomadClient(configuration);
}

const head = ({ node, dataOf, logOf }: NodeConfiguration, agent: Agent) => `# Written by task install:agents.
${agent === "consul" ? "node_name" : "name"} = "${node.name}"
data_dir  = "${dataOf(agent)}"
bind_addr = "${node.address}"
${logOf === undefined ? "" : `log_file  = "${logOf(agent)}"\n`}`;

/** Lines that override the certificate of tls.hcl: the same three for Consul and Nomad. */
const certificates = ({ tls }: NodeConfiguration, [open, close]: readonly [string, string]) =>
  tls === undefined
    ? ""
    : `${open}\nca_file = "${tls.ca}"\ncert_file = "${tls.certificate}"\nkey_file = "${tls.key}"\n${close}\n`;
const ofConsul = ["tls {\ndefaults {", "}\n}"] as const;
const ofNomad = ["tls {", "}"] as const;

async function consul(configuration: NodeConfiguration): Promise<string> {
  const { folder, node } = configuration;
  const common = `${head(configuration, "consul")}retry_join = ${join(configuration)}
${certificates(configuration, ofConsul)}`;
  const agent = await readSecret(folder, agentToken(node));
  if (node.role === "client") return `${common}acl {\n  tokens {\n    agent = "${agent}"\n  }\n}\n`;
  return `${common}bootstrap_expect = ${serversOf(configuration).length}
addresses {
  https = "${node.address}"
}
acl {
  tokens {
    initial_management = "${await readSecret(folder, "consul-management")}"
    agent              = "${agent}"
  }
}
`;
}

async function nomadServer(configuration: NodeConfiguration): Promise<string> {
  const { folder, node } = configuration;
  return `${head(configuration, "nomad")}# Consul on this node fetches the keys of identities from loopback.
addresses {
  http = "${node.address} 127.0.0.1"
}
server {
  bootstrap_expect = ${serversOf(configuration).length}
  server_join {
    retry_join = ${join(configuration)}
  }
}
consul {
  token = "${await readSecret(folder, "consul-nomad-server")}"
}
${certificates(configuration, ofNomad)}`;
}

async function nomadClient(configuration: NodeConfiguration): Promise<string> {
  const { folder, node, client = "" } = configuration;
  return `${head(configuration, "nomad")}client {
  node_pool = "${node.pool}"
  # The interface with the node's address: tasks listen there.
  network_interface = ${JSON.stringify(interfaceOf(node))}
${client}  server_join {
    retry_join = ${join(configuration)}
  }
  host_volume "usr" {
    path      = "/usr"
    read_only = true
  }
}
consul {
  token = "${await readSecret(folder, "consul-nomad-client")}"
}
${certificates(configuration, ofNomad)}`;
}

/** A template of Nomad's (hashicorp/go-sockaddr): addresses are written with the bits of their network. */
const interfaceOf = ({ address }: AgentNode) =>
  `{{ GetAllInterfaces | include "address" "^${address.replaceAll(".", "[.]")}(/|$)" | attr "name" }}`;
