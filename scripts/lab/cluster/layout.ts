import { z } from "zod";
import type { AgentNode } from "../../cli/agents/nodes.ts";

/** A cluster as it was asked for; kept in cluster.json of its state folder. */
export const clusterSize = z.object({
  name: z.string().regex(/^[a-z][a-z0-9]{0,7}$/, "must be 1 to 8 lower-case letters and digits, a letter first"),
  /** The first three bytes of every address: a network of 256. */
  network: z.string().regex(/^198\.1[89]\.\d{1,3}$/, "must be one of 198.18.0 to 198.19.255"),
  servers: z.int().min(1).max(9),
  clients: z.int().min(1).max(9),
});
export type ClusterSize = z.infer<typeof clusterSize>;

export type ClusterNode = AgentNode & {
  /** Its network namespace. */
  readonly namespace: string;
  /** The end of its network link that is on the machine; the other end is eth0 of the node. */
  readonly link: string;
};

/** The parts of a cluster on this machine. Their names begin alike, so that `down` finds all of them. */
export type Layout = {
  readonly name: string;
  /** Of namespaces and cgroups. */
  readonly prefix: string;
  readonly bridge: string;
  /** The machine's own address on the bridge. */
  readonly host: string;
  /** The network in CIDR notation. */
  readonly cidr: string;
  readonly servers: readonly ClusterNode[];
  readonly clients: readonly ClusterNode[];
  readonly nodes: readonly ClusterNode[];
};

/** Links of a cluster begin with this: Linux allows 15 bytes for all of an interface's name. */
export const linkPrefix = (name: string): string => `pc-${name}`;
export const namePrefix = (name: string): string => `prosaas-${name}`;

/** The node pool of a single client has everything; of several, the first has the data. */
export function layoutOf({ name, network, servers, clients }: ClusterSize): Layout {
  const node = (role: ClusterNode["role"], number: number): ClusterNode => ({
    name: `${role}-${number}`,
    role,
    pool: role === "server" || clients === 1 ? "default" : number === 1 ? "data" : "platform",
    address: `${network}.${(role === "server" ? 10 : 100) + number}`,
    namespace: `${namePrefix(name)}-${role}-${number}`,
    link: `${linkPrefix(name)}-${role[0]}${number}`,
  });
  const numbered = (role: ClusterNode["role"], count: number) =>
    Array.from({ length: count }, (_, index) => node(role, index + 1));
  const all = { servers: numbered("server", servers), clients: numbered("client", clients) };
  return {
    name,
    prefix: namePrefix(name),
    bridge: linkPrefix(name),
    host: `${network}.1`,
    cidr: `${network}.0/24`,
    ...all,
    nodes: [...all.servers, ...all.clients],
  };
}

/** The clients with an edge, by the address that stands in a DNS record. */
export const edgesOf = (layout: Layout): ClusterNode[] =>
  layout.clients.filter((node) => layout.clients.length === 1 || node.pool !== "data");

/** The node of a name. @throws Error that lists the names */
export function nodeOf({ nodes }: Layout, name: string): ClusterNode {
  const found = nodes.find((node) => node.name === name);
  if (found !== undefined) return found;
  throw new Error(`The cluster has no node "${name}"; it has ${nodes.map((node) => node.name).join(", ")}.`);
}
