import { sleep } from "../../../lib/core/time.ts";
import { grantConsul, grantNomad } from "../../cli/agents/access.ts";
import { consulOf, nomadOf } from "../../cli/agents/connect.ts";
import type { Caller } from "../../cli/operator/http.ts";
import { agents, startAgent, stopAgent } from "./agents.ts";
import type { Agent } from "./agents.ts";
import { createCredentials } from "./credentials.ts";
import type { ClusterNode } from "./layout.ts";
import { boot, pidOf } from "./node.ts";
import type { Cluster } from "./node.ts";

/** An election, or the start of all agents on two cores, takes seconds. */
const READY_WITHIN_MS = 90_000;

export type Say = (line: string) => void;

async function until(what: string, done: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + READY_WITHIN_MS;
  for (;;) {
    // An agent that is starting refuses connections, and a server without a leader answers 500.
    if (await done().catch(() => false)) return;
    if (performance.now() > end) throw new Error(`${what}: not after ${READY_WITHIN_MS / 1000} s`);
    await sleep(200);
  }
}

const hasLeader = async (agent: Caller) => (await agent<string>("GET", "/v1/status/leader")) !== "";

async function startAll(cluster: Cluster, nodes: readonly ClusterNode[], agent: Agent): Promise<void> {
  await Promise.all(nodes.map((node) => startAgent(cluster, node, agent)));
}

/** Starts every node and agent that does not run, and returns when all clients may take work. */
export async function startCluster(cluster: Cluster, say: Say): Promise<void> {
  const { nodes, servers, clients } = cluster.layout;
  await createCredentials(cluster);
  for (const node of nodes) if ((await pidOf(cluster, node, "init")) === null) await boot(cluster, node);
  say(`${nodes.length} nodes in ${cluster.layout.cidr}`);

  await startAll(cluster, servers, "consul");
  const consul = await consulOf(cluster, servers[0]!);
  await until("Consul has a leader", () => hasLeader(consul));
  await grantConsul(cluster, nodes, consul);
  await startAll(cluster, clients, "consul");
  await startAll(cluster, servers, "nomad");
  const nomad = await nomadOf(cluster, servers[0]!);
  await until("Nomad has a leader", () => hasLeader(nomad));
  await grantNomad(cluster, { nomad, consul });
  say("Consul and Nomad have leaders and access control");

  await startAll(cluster, clients, "nomad");
  await until("every client is ready", async () => {
    const ready = await readyNodes(nomad);
    return clients.every(({ name }) => ready.includes(name));
  });
  say(`${clients.length} clients are ready`);
}

type Stub = { Name: string; Status: string };

const readyNodes = async (nomad: Caller): Promise<string[]> =>
  (await nomad<Stub[]>("GET", "/v1/nodes")).flatMap(({ Name, Status }) => (Status === "ready" ? [Name] : []));

/** Starts a node that is down from its disk; restarts the agents of one that runs, while its tasks go on. */
export async function restartNode(cluster: Cluster, node: ClusterNode): Promise<"powered on" | "agents restarted"> {
  const isDown = (await pidOf(cluster, node, "init")) === null;
  if (isDown) await boot(cluster, node);
  else for (const agent of agents.toReversed()) await stopAgent(cluster, node, agent);
  for (const agent of agents) await startAgent(cluster, node, agent);
  return isDown ? "powered on" : "agents restarted";
}
