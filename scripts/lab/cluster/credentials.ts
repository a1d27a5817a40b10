import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { ensureAuthority } from "../../cli/certs/authority.ts";
import { certificateOf, issueCertificate, namesOfAgents } from "../../cli/certs/certificates.ts";
import { ensureSecret, ensureSecrets } from "../../cli/certs/secrets.ts";
import type { Cluster } from "./node.ts";

/** No test runs that long. */
const days = 30;

/** Makes what `task certs -- make` makes, a certificate for the edge, and the keys of the bucket of copies. */
export async function createCredentials(cluster: Cluster): Promise<void> {
  const { nodes, clients } = cluster.layout;
  const authority = await ensureAuthority(cluster, days);
  // Clients reach the edge by the address of a node, and the simulator's media host by the name of its service.
  const edge = ["localhost", "prosaas-edge.service.consul", "prosaas-simulator.service.consul"];
  const wanted = new Map([
    ...nodes.map((node) => [node.name, namesOfAgents(node)] as const),
    ["edge", [...edge.map((name) => `DNS:${name}`), ...clients.map(({ address }) => `IP:${address}`)]] as const,
  ]);
  for (const [name, names] of wanted)
    if (!existsSync(certificateOf(cluster, name).certificate))
      await issueCertificate(cluster, name, names, { authority, days });
  await ensureSecrets(cluster, nodes);
  await ensureSecret(cluster, "bucket-key-id", () => randomBytes(10).toString("hex"));
  await ensureSecret(cluster, "bucket-key", () => randomBytes(32).toString("hex"));
}
