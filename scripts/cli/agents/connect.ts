import { readFile } from "node:fs/promises";
import { sleep } from "../../../lib/core/time.ts";
import { AppError } from "../../../lib/core/errors.ts";
import { trustFile } from "../certs/authority.ts";
import { readSecret } from "../certs/secrets.ts";
import { createCaller } from "../operator/http.ts";
import type { Caller } from "../operator/http.ts";
import { consulHttps } from "./configuration.ts";
import type { AgentNode, ClusterFolder } from "./nodes.ts";

export const consulUrl = ({ address }: Pick<AgentNode, "address">): string => `https://${address}:${consulHttps}`;
export const nomadUrl = ({ address }: Pick<AgentNode, "address">): string => `https://${address}:4646`;

async function connect(folder: ClusterFolder, baseUrl: string, secret: string, timeoutMs = 10_000): Promise<Caller> {
  const [ca, token] = await Promise.all([readFile(trustFile(folder), "utf8"), readSecret(folder, secret)]);
  return createCaller({ baseUrl, token, ca, timeoutMs });
}

/** Consul's agent of a server, with the management token. */
export const consulOf = (folder: ClusterFolder, node: AgentNode, timeoutMs?: number): Promise<Caller> =>
  connect(folder, consulUrl(node), "consul-management", timeoutMs);

/** Nomad's agent of a node, with the management token. */
export const nomadOf = (folder: ClusterFolder, node: AgentNode, timeoutMs?: number): Promise<Caller> =>
  connect(folder, nomadUrl(node), "nomad-management", timeoutMs);

/** The first of these servers, once it knows a leader of Consul or Nomad. */
export async function awaitLeader(
  folder: ClusterFolder,
  servers: readonly AgentNode[],
  { product, withinMs }: { product: "Consul" | "Nomad"; withinMs: number },
): Promise<{ server: AgentNode; agent: Caller }> {
  const end = performance.now() + withinMs;
  const open = product === "Consul" ? consulOf : nomadOf;
  for (;;) {
    for (const server of servers) {
      const agent = await open(folder, server, 2_000);
      // One that is starting refuses connections, and a server without a leader answers 500.
      const leader = await agent<string>("GET", "/v1/status/leader").catch(() => "");
      if (leader !== "") return { server, agent: await open(folder, server) };
    }
    if (performance.now() > end)
      throw new AppError(
        "unavailable",
        `${product} has no leader: ${servers.map(({ address }) => address).join(", ")} know none. ` +
          "On a server, see: systemctl status 'prosaas-*' and journalctl -u 'prosaas-*'",
      );
    await sleep(300);
  }
}
