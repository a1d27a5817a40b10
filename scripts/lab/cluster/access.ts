import { readFile } from "node:fs/promises";
import { createCaller } from "../../cli/operator/http.ts";
import type { Caller } from "../../cli/operator/http.ts";
import { ensureConsulAccess, ensureWorkloadLogin } from "../../stack/access/consul.ts";
import { ensureNomadAccess } from "../../stack/access/nomad.ts";
import { untilSettled } from "../../stack/access/settle.ts";
import { consulHttps } from "./configuration.ts";
import { agentToken, certificateOf, readSecret } from "./credentials.ts";
import type { ClusterNode } from "./layout.ts";
import type { Cluster } from "./node.ts";

export const consulUrl = ({ address }: ClusterNode): string => `https://${address}:${consulHttps}`;
export const nomadUrl = ({ address }: ClusterNode): string => `https://${address}:4646`;

async function callerOf(cluster: Cluster, baseUrl: string, token: string, timeoutMs = 10_000): Promise<Caller> {
  const ca = await readFile(certificateOf(cluster, "ca").ca, "utf8");
  return createCaller({ baseUrl, token, ca, timeoutMs });
}

/** Consul's agent of a server, with the management token. */
export const consulOf = async (cluster: Cluster, node: ClusterNode, timeoutMs?: number): Promise<Caller> =>
  callerOf(cluster, consulUrl(node), await readSecret(cluster, "consul-management"), timeoutMs);

/** Nomad's agent of a node, with the management token. */
export const nomadOf = async (cluster: Cluster, node: ClusterNode, timeoutMs?: number): Promise<Caller> =>
  callerOf(cluster, nomadUrl(node), await readSecret(cluster, "nomad-management"), timeoutMs);

/** Policies and tokens in Consul, which the agents of Nomad and of the clients start with. */
export async function grantConsul(cluster: Cluster): Promise<void> {
  const consul = await consulOf(cluster, cluster.layout.servers[0]!);
  const agents = await Promise.all(
    cluster.layout.nodes.map(async (node) => ({
      node: node.name,
      token: await readSecret(cluster, agentToken(node)),
    })),
  );
  const tokens = {
    nomadServer: await readSecret(cluster, "consul-nomad-server"),
    nomadClient: await readSecret(cluster, "consul-nomad-client"),
  };
  await untilSettled(() => ensureConsulAccess({ consul, agents, tokens }));
}

/** Policies in Nomad, and the login of its workloads to Consul. */
export async function grantNomad(cluster: Cluster): Promise<void> {
  const [server] = cluster.layout.servers;
  const token = await readSecret(cluster, "nomad-management");
  const ca = await readFile(certificateOf(cluster, "ca").ca, "utf8");
  const allowReset = () => {
    throw new Error("Nomad has another management token than this cluster's folder: task cluster -- down, then up.");
  };
  await untilSettled(async () => {
    await ensureNomadAccess({ nomad: await nomadOf(cluster, server!), token, allowReset });
    // Each Consul server asks the Nomad server of its own node.
    await ensureWorkloadLogin(await consulOf(cluster, server!), { nomadAddr: "https://127.0.0.1:4646", ca });
  });
}
