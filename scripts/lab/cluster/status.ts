import { consulOf, nomadOf } from "../../cli/agents/connect.ts";
import type { Agent } from "./agents.ts";
import { cutsBetween } from "./faults.ts";
import type { Cut } from "./faults.ts";
import { readFirewall, unexpectedListeners } from "./firewall.ts";
import type { FirewallRow, NodeKind } from "./firewall.ts";
import { edgesOf } from "./layout.ts";
import type { ClusterNode } from "./layout.ts";
import { listenersOf } from "./listeners.ts";
import { pidOf } from "./node.ts";
import type { Cluster } from "./node.ts";

export type NodeStatus = {
  node: string;
  role: ClusterNode["role"];
  pool: string | null;
  address: string;
  /** False after `kill`. */
  powered: boolean;
  consul: boolean;
  nomad: boolean;
  /** As Nomad's servers see a client; null for a server, and while no server answers. */
  nomad_status: string | null;
  allocations: number | null;
  /** Ports beyond loopback that the table in nomad/README.md does not have, such as "9999/tcp". */
  unexpected_ports: string[];
};

export type ClusterStatus = {
  cluster: string;
  network: string;
  /** Names of the nodes that lead; null without a leader. */
  nomad_leader: string | null;
  consul_leader: string | null;
  cuts: Cut[];
  nodes: NodeStatus[];
};

/** Ports of a cluster on this machine that production does not have: the simulator and its media host. */
const development: readonly FirewallRow[] = [
  { first: 17_070, last: 17_071, protocols: ["tcp"], program: "simulator", on: ["clients"] },
];

type Stub = { ID: string; Name: string; Status: string };
type Allocation = { NodeID: string; ClientStatus: string };

/** The first answer of the powered servers, asked one after the other; null if none answers. */
async function ask<T>(cluster: Cluster, question: (server: ClusterNode) => Promise<T>): Promise<T | null> {
  for (const server of cluster.layout.servers) {
    if ((await pidOf(cluster, server, "init")) === null) continue;
    try {
      return await question(server);
    } catch {
      // The next one may know.
    }
  }
  return null;
}

/** A server that still believes in a lost leader waits for it; another one knows better by then. */
const LEADER_WITHIN_MS = 1_000;

/** The name of the server that leads; null while the servers that have power know none. */
export async function leaderOf(cluster: Cluster, which: Agent): Promise<string | null> {
  const connect = which === "nomad" ? nomadOf : consulOf;
  const address = await ask(cluster, async (server) => {
    const agent = await connect(cluster, server, LEADER_WITHIN_MS);
    const leader = await agent<string>("GET", "/v1/status/leader");
    if (leader === "") throw new Error("no leader");
    return leader.split(":")[0];
  });
  return cluster.layout.servers.find((server) => server.address === address)?.name ?? null;
}

export async function statusOf(cluster: Cluster): Promise<ClusterStatus> {
  const { layout } = cluster;
  const [seen, nomadLeader, consulLeader, cuts] = await Promise.all([
    ask(cluster, async (server) => {
      const nomad = await nomadOf(cluster, server);
      const [stubs, allocations] = await Promise.all([
        nomad<Stub[]>("GET", "/v1/nodes"),
        nomad<Allocation[]>("GET", "/v1/allocations"),
      ]);
      return { stubs, allocations };
    }),
    leaderOf(cluster, "nomad"),
    leaderOf(cluster, "consul"),
    cutsBetween(layout.nodes),
  ]);
  const firewall = [...(await readFirewall()), ...development];
  const kindsOf = (node: ClusterNode): NodeKind[] =>
    node.role === "server" ? ["servers"] : edgesOf(layout).includes(node) ? ["clients", "edges"] : ["clients"];
  const nodes = await Promise.all(
    layout.nodes.map(async (node): Promise<NodeStatus> => {
      const stub = seen?.stubs.find(({ Name }) => Name === node.name);
      const isRunning = async (name: string) => (await pidOf(cluster, node, name)) !== null;
      return {
        node: node.name,
        role: node.role,
        pool: node.role === "client" ? node.pool : null,
        address: node.address,
        powered: await isRunning("init"),
        consul: await isRunning("consul"),
        nomad: await isRunning("nomad"),
        nomad_status: stub?.Status ?? null,
        allocations:
          stub === undefined
            ? null
            : seen!.allocations.filter(({ NodeID, ClientStatus }) => NodeID === stub.ID && ClientStatus === "running")
                .length,
        unexpected_ports: unexpectedListeners(firewall, kindsOf(node), await listenersOf(node)),
      };
    }),
  );
  return {
    cluster: layout.name,
    network: layout.cidr,
    nomad_leader: nomadLeader,
    consul_leader: consulLeader,
    cuts,
    nodes,
  };
}
