import { inNamespace } from "./network.ts";
import type { ClusterNode } from "./layout.ts";

/*
 * Cuts are silent, as a broken cable is: packets go to a hardware address that no interface has. The neighbour table of
 * a node names it for one peer, or a routing rule for one peer and the ports of Consul. A missing route would refuse
 * connections at once, which no cut does.
 */
const nowhere = "02:00:00:00:00:99";

/** Packets of Consul between agents: RPC and gossip. No other service uses these ports of a node. */
const consulPorts = "8300-8302";
/** The routing table of packets that vanish, and the last byte of the neighbour that takes them. */
const vanishingTable = "8300";
const vanishingHost = 254;

/** True while packets from a node to `peer` vanish. */
export type Cut = {
  from: string;
  to: string;
  /** Only packets of this service vanish. */
  only?: "consul";
};

/** Drops the packets of one node to another. */
export async function cutOneWay(from: ClusterNode, to: ClusterNode): Promise<void> {
  const entry = [to.address, "lladdr", nowhere, "nud", "permanent", "dev", "eth0"];
  await inNamespace(from.namespace, "ip", "neigh", "replace", ...entry);
}

/** Drops the packets of one node's Consul agent to another's. */
export async function cutConsulOneWay(from: ClusterNode, to: ClusterNode): Promise<void> {
  if ((await consulCutsOf(from, [to])).length > 0) return;
  const network = from.address.slice(0, from.address.lastIndexOf("."));
  const gateway = `${network}.${vanishingHost}`;
  const ip = (...args: string[]) => inNamespace(from.namespace, "ip", ...args);
  await ip("neigh", "replace", gateway, "lladdr", nowhere, "nud", "permanent", "dev", "eth0");
  await ip("route", "replace", `${network}.0/24`, "via", gateway, "dev", "eth0", "table", vanishingTable);
  for (const rule of rulesOf(to)) await ip("rule", "add", ...rule);
}

/** Requests to Consul's ports, and answers from them. */
const rulesOf = ({ address }: ClusterNode): string[][] =>
  ["dport", "sport"].map((port) => ["to", address, port, consulPorts, "lookup", vanishingTable]);

/** Drops every packet between nodes and peers, or those of Consul's agents. */
export async function cutBetween(
  nodes: readonly ClusterNode[],
  peers: readonly ClusterNode[],
  cut: (from: ClusterNode, to: ClusterNode) => Promise<void> = cutOneWay,
): Promise<void> {
  for (const node of nodes)
    for (const peer of peers) {
      await cut(node, peer);
      await cut(peer, node);
    }
}

type Neighbour = { dst: string; lladdr?: string };
type Rule = { dst?: string; table: string };

/** The cuts between these nodes. */
export async function cutsBetween(nodes: readonly ClusterNode[]): Promise<Cut[]> {
  const all = await Promise.all(
    nodes.map(async (from) => [...(await wholeCutsOf(from, nodes)), ...(await consulCutsOf(from, nodes))]),
  );
  return all.flat();
}

async function wholeCutsOf(from: ClusterNode, nodes: readonly ClusterNode[]): Promise<Cut[]> {
  const entries = await show<Neighbour>(from, "-4", "neigh", "show", "dev", "eth0");
  return nodes
    .filter(({ address }) => entries.some(({ dst, lladdr }) => dst === address && lladdr === nowhere))
    .map((to) => ({ from: from.name, to: to.name }));
}

async function consulCutsOf(from: ClusterNode, nodes: readonly ClusterNode[]): Promise<Cut[]> {
  const rules = await show<Rule>(from, "-4", "rule", "show");
  return nodes
    .filter(({ address }) => rules.some(({ dst, table }) => dst === address && table === vanishingTable))
    .map((to) => ({ from: from.name, to: to.name, only: "consul" }));
}

async function show<T>({ namespace }: ClusterNode, ...args: string[]): Promise<T[]> {
  return JSON.parse((await inNamespace(namespace, "ip", "-json", ...args)) || "[]") as T[];
}

/** Ends every cut; returns those that there were. */
export async function heal(nodes: readonly ClusterNode[]): Promise<Cut[]> {
  const cuts = await cutsBetween(nodes);
  for (const { from, to, only } of cuts) {
    const { namespace } = nodes.find(({ name }) => name === from)!;
    const target = nodes.find(({ name }) => name === to)!;
    if (only === undefined) await inNamespace(namespace, "ip", "neigh", "delete", target.address, "dev", "eth0");
    else for (const rule of rulesOf(target)) await inNamespace(namespace, "ip", "rule", "delete", ...rule);
  }
  return cuts;
}
