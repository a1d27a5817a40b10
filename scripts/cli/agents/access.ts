import { readFile } from "node:fs/promises";
import { ensureConsulAccess, ensureWorkloadLogin } from "../../stack/access/consul.ts";
import { ensureNomadAccess } from "../../stack/access/nomad.ts";
import { untilSettled } from "../../stack/access/settle.ts";
import { AppError } from "../../../lib/core/errors.ts";
import { trustFile } from "../certs/authority.ts";
import { agentToken, readSecret } from "../certs/secrets.ts";
import type { Caller } from "../operator/http.ts";
import type { AgentNode, ClusterFolder } from "./nodes.ts";

/** Policies and tokens in Consul, which the agents of Nomad and of the clients present. */
export async function grantConsul(folder: ClusterFolder, nodes: readonly AgentNode[], consul: Caller): Promise<void> {
  const agents = await Promise.all(
    nodes.map(async (node) => ({ node: node.name, token: await readSecret(folder, agentToken(node)) })),
  );
  const tokens = {
    nomadServer: await readSecret(folder, "consul-nomad-server"),
    nomadClient: await readSecret(folder, "consul-nomad-client"),
  };
  await untilSettled(() => ensureConsulAccess({ consul, agents, tokens }));
}

/** Bootstraps Nomad with the folder's management token; writes its policies; lets its workloads log in to Consul. */
export async function grantNomad(folder: ClusterFolder, { nomad, consul }: Record<"nomad" | "consul", Caller>) {
  const token = await readSecret(folder, "nomad-management");
  const ca = await readFile(trustFile(folder), "utf8");
  const allowReset = (index: string) => {
    throw new AppError(
      "conflict",
      `Nomad has another management token than ${folder.state}/access. Give it that one, or reset it: on the server ` +
        `that leads, write ${index} to /var/lib/prosaas/nomad/server/acl-bootstrap-reset, and run this again.`,
    );
  };
  await untilSettled(async () => {
    await ensureNomadAccess({ nomad, token, allowReset });
    // Each Consul server asks the Nomad server of its own node.
    await ensureWorkloadLogin(consul, { nomadAddr: "https://127.0.0.1:4646", ca });
  });
}
