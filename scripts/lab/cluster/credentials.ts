import { randomBytes, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeStateFile } from "../../stack/state_file.ts";
import { host } from "./host.ts";
import type { ClusterNode } from "./layout.ts";
import type { Cluster } from "./node.ts";

/*
 * Credentials that an operator of a production cluster makes once: a certificate authority, a certificate for each node
 * and for the edge, gossip keys, and the tokens of the agents. All are in the cluster's folder, closed to others.
 */

export type CertificateFiles = { ca: string; certificate: string; key: string };

/** The certificate of a node's agents, or of the edge. */
export const certificateOf = ({ state }: Cluster, name: string): CertificateFiles => ({
  ca: join(state, "tls/ca.crt"),
  certificate: join(state, `tls/${name}.crt`),
  key: join(state, `tls/${name}.key`),
});

/** Days; no test runs that long. */
const validity = "30";

export async function createCertificates(cluster: Cluster): Promise<void> {
  const folder = join(cluster.state, "tls");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { ca } = certificateOf(cluster, "ca");
  const caKey = join(folder, "ca.key");
  if (!existsSync(ca)) {
    await makeKey(caKey);
    const subject = `/CN=ProSaaS cluster ${cluster.layout.name}`;
    const extensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"];
    const options = ["-x509", "-new", "-key", caKey, "-sha256", "-days", validity, "-subj", subject, "-out", ca];
    await host("openssl", "req", ...options, ...extensions.flatMap((extension) => ["-addext", extension]));
  }
  const { nodes, clients } = cluster.layout;
  for (const node of nodes) await ensureCertificate(cluster, node.name, namesOfAgents(node));
  // Clients reach the edge by the address of a node, and the simulator's media host by the name of its service.
  const names = ["DNS:localhost", "DNS:prosaas-edge.service.consul", "DNS:prosaas-simulator.service.consul"];
  await ensureCertificate(cluster, "edge", [...names, ...clients.map(({ address }) => `IP:${address}`)]);
}

/** Agents check the role of who connects: only a server may take a server's part. */
const namesOfAgents = ({ role, address }: ClusterNode): string[] => [
  `DNS:${role}.dc1.consul`,
  `DNS:${role}.global.nomad`,
  "DNS:localhost",
  "IP:127.0.0.1",
  `IP:${address}`,
];

async function ensureCertificate(cluster: Cluster, name: string, names: readonly string[]): Promise<void> {
  const { ca, certificate, key } = certificateOf(cluster, name);
  if (existsSync(certificate)) return;
  const request = `${certificate}.csr`;
  const extensions = `${certificate}.ext`;
  await makeKey(key);
  await writeStateFile(
    extensions,
    [
      `subjectAltName=${names.join(",")}`,
      "basicConstraints=CA:FALSE",
      "keyUsage=critical,digitalSignature",
      "extendedKeyUsage=serverAuth,clientAuth",
      "",
    ].join("\n"),
  );
  await host("openssl", "req", "-new", "-key", key, "-subj", `/CN=${name}`, "-out", request);
  const authority = ["-CA", ca, "-CAkey", join(cluster.state, "tls/ca.key"), "-CAcreateserial"];
  const options = ["-req", "-in", request, "-sha256", "-days", validity, "-extfile", extensions, "-out", certificate];
  await host("openssl", "x509", ...options, ...authority);
}

async function makeKey(file: string): Promise<void> {
  await writeStateFile(file, await host("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout"));
}

/** Tokens of all nodes, and keys; each Consul agent has a token of its own besides. */
const shared = {
  "consul-management": randomUUID,
  "nomad-management": randomUUID,
  "consul-nomad-server": randomUUID,
  "consul-nomad-client": randomUUID,
  "consul-gossip": () => randomBytes(32).toString("base64"),
  "nomad-gossip": () => randomBytes(32).toString("base64"),
  "bucket-key-id": () => randomBytes(10).toString("hex"),
  "bucket-key": () => randomBytes(32).toString("hex"),
} satisfies Record<string, () => string>;

export type SecretName = keyof typeof shared | `consul-agent-${string}`;

export const agentToken = ({ name }: ClusterNode): SecretName => `consul-agent-${name}`;

const secretFile = ({ state }: Cluster, name: SecretName) => join(state, "access", name);

export async function createSecrets(cluster: Cluster): Promise<void> {
  await mkdir(join(cluster.state, "access"), { recursive: true, mode: 0o700 });
  const ofAgents = cluster.layout.nodes.map((node) => [agentToken(node), randomUUID] as const);
  for (const [name, generate] of [...Object.entries(shared), ...ofAgents]) {
    const file = secretFile(cluster, name as SecretName);
    if (!existsSync(file)) await writeStateFile(file, generate());
  }
}

export const readSecret = async (cluster: Cluster, name: SecretName): Promise<string> =>
  (await readFile(secretFile(cluster, name), "utf8")).trim();
