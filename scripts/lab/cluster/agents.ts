import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "../../../lib/core/time.ts";
import { root } from "../../stack/environment.ts";
import { writeStateFile } from "../../stack/state_file.ts";
import { configurationOf } from "./configuration.ts";
import { folderOf, pidOf, runInNode, startInNode } from "./node.ts";
import type { Cluster } from "./node.ts";
import type { ClusterNode } from "./layout.ts";

export const agents = ["consul", "nomad"] as const;
export type Agent = (typeof agents)[number];

/** The production files that an agent is started with, before the file of its node. */
const filesOf: Readonly<Record<Agent, Readonly<Record<ClusterNode["role"], readonly string[]>>>> = {
  consul: {
    server: ["consul/agent/agent.hcl", "consul/agent/server.hcl", "consul/agent/tls.hcl"],
    client: ["consul/agent/agent.hcl", "consul/agent/tls.hcl"],
  },
  nomad: {
    server: ["nomad/agent/server.hcl", "nomad/agent/tls.hcl"],
    client: ["nomad/agent/client.hcl", "nomad/agent/tls.hcl"],
  },
};

/** Starts an agent of a node unless it runs. */
export async function startAgent(cluster: Cluster, node: ClusterNode, agent: Agent): Promise<void> {
  if ((await pidOf(cluster, node, agent)) !== null) return;
  const folder = folderOf(cluster, node);
  await mkdir(join(folder, agent), { recursive: true, mode: 0o700 });
  const own = join(folder, `${agent}.hcl`);
  await writeStateFile(own, await configurationOf(cluster, node, agent));
  if (agent === "nomad" && node.role === "client")
    await runInNode(cluster, node, join(root, "scripts/cli/agents/restore-mounts.sh"), join(folder, agent));
  const flag = agent === "consul" ? "-config-file" : "-config";
  const files = [...filesOf[agent][node.role].map((file) => join(root, file)), own];
  await startInNode(cluster, node, agent, [agent, "agent", ...files.map((file) => `${flag}=${file}`)]);
}

/** Stops an agent as an operator does. The tasks of a Nomad client go on. */
export async function stopAgent(cluster: Cluster, node: ClusterNode, agent: Agent): Promise<void> {
  const end = performance.now() + 20_000;
  let signal: NodeJS.Signals = "SIGINT";
  for (let pid = await pidOf(cluster, node, agent); pid !== null; pid = await pidOf(cluster, node, agent)) {
    if (performance.now() > end) signal = "SIGKILL";
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    await sleep(200);
  }
}
