import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeStateFile } from "../../stack/state_file.ts";
import type { AgentNode, ClusterFolder } from "../agents/nodes.ts";
import { makeKey, openssl, readAuthorities, tlsFolder, trustFile } from "./authority.ts";
import type { Authority } from "./authority.ts";

export type CertificateFiles = { ca: string; certificate: string; key: string };

/** The certificate of a node's agents, or of an edge. */
export const certificateOf = (folder: ClusterFolder, name: string): CertificateFiles => ({
  ca: trustFile(folder),
  certificate: join(tlsFolder(folder), `${name}.crt`),
  key: join(tlsFolder(folder), `${name}.key`),
});

/** Agents check the role of a peer: only a server may take a server's part. */
export const namesOfAgents = ({ role, address }: AgentNode): string[] => [
  `DNS:${role}.dc1.consul`,
  `DNS:${role}.global.nomad`,
  "DNS:localhost",
  "IP:127.0.0.1",
  `IP:${address}`,
];

export type Certificate = {
  name: string;
  expires: Date;
  /** Percent of its life that is over. */
  spent: number;
  /** The number of the authority that signed it; null if that is not trusted any more. */
  authority: number | null;
  /** False if the key in the folder is another's: a renewal was interrupted. */
  hasKey: boolean;
  /** Subject alternative names, as `DNS:localhost, IP Address:127.0.0.1`. */
  names: string;
};

const day = 24 * 3_600_000;

type Texts = { certificate: string; key: string };

function describe(
  name: string,
  { certificate, key }: Texts,
  authorities: readonly { number: number; text: string }[],
): Certificate {
  const parsed = new X509Certificate(certificate);
  const [from, to] = [new Date(parsed.validFrom).getTime(), new Date(parsed.validTo).getTime()];
  const issuer = authorities.find((one) => parsed.verify(new X509Certificate(one.text).publicKey));
  return {
    name,
    expires: new Date(to),
    spent: Math.round(((Date.now() - from) / (to - from)) * 100),
    authority: issuer?.number ?? null,
    hasKey: key !== "" && parsed.checkPrivateKey(createPrivateKey(key)),
    names: parsed.subjectAltName ?? "",
  };
}

export const daysLeft = ({ expires }: Certificate): number => Math.floor((expires.getTime() - Date.now()) / day);

/** Certificates are renewed in the last third of their life. */
export const isDue = ({ spent, authority, hasKey }: Certificate): boolean =>
  spent >= 67 || authority === null || !hasKey;

const textsOf = async (files: { certificate: string; key: string }): Promise<Texts | null> => {
  const [certificate, key] = await Promise.all(
    [files.certificate, files.key].map((file) => readFile(file, "utf8").catch(() => "")),
  );
  return certificate === "" ? null : { certificate: certificate!, key: key! };
};

/** The certificates of the authorities, and those of `names` that exist. */
export async function readCertificates(folder: ClusterFolder, names: readonly string[]): Promise<Certificate[]> {
  const authorities = await Promise.all(
    (await readAuthorities(folder)).map(async (one) => ({ ...one, text: await readFile(one.certificate, "utf8") })),
  );
  const files = [
    ...authorities.map(({ number, ...one }) => ({ name: `authority-${number}`, ...one })),
    ...names.map((name) => ({ name, ...certificateOf(folder, name) })),
  ];
  const read = await Promise.all(files.map(async (one) => ({ name: one.name, texts: await textsOf(one) })));
  return read.flatMap(({ name, texts }) => (texts === null ? [] : [describe(name, texts, authorities)]));
}

/** Signs a new certificate over a new key. The former one stays valid until it expires. */
export async function issueCertificate(
  folder: ClusterFolder,
  name: string,
  names: readonly string[],
  { authority, days }: { authority: Authority; days: number },
): Promise<void> {
  const { certificate, key } = certificateOf(folder, name);
  const [request, extensions, newKey] = [`${certificate}.csr`, `${certificate}.ext`, `${key}.next`];
  await makeKey(newKey);
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
  await openssl("req", "-new", "-key", newKey, "-subj", `/CN=${name}`, "-out", request);
  const options = ["-req", "-in", request, "-sha256", "-days", String(days), "-extfile", extensions];
  // A random serial number; -CAcreateserial would count in a file.
  const serial = ["-set_serial", `0x${crypto.randomUUID().replaceAll("-", "").slice(1)}`];
  const signer = ["-CA", authority.certificate, "-CAkey", authority.key];
  const signed = await openssl("x509", ...options, ...signer, ...serial);
  await writeStateFile(key, await readFile(newKey, "utf8"));
  await writeStateFile(certificate, signed);
  for (const file of [request, extensions, newKey]) await rm(file);
}

const trustedBy = (folder: ClusterFolder, { name }: AgentNode) => join(tlsFolder(folder), `${name}.trusts`);

/** Remembers that a node trusts the present authorities. */
export const recordTrust = async (folder: ClusterFolder, node: AgentNode): Promise<void> =>
  writeStateFile(trustedBy(folder, node), await readFile(trustFile(folder), "utf8"));

/** The nodes that were not given the present authorities. */
export async function nodesWithoutTrust(folder: ClusterFolder, nodes: readonly AgentNode[]): Promise<AgentNode[]> {
  const trust = await readFile(trustFile(folder), "utf8");
  const known = await Promise.all(nodes.map((node) => readFile(trustedBy(folder, node), "utf8").catch(() => "")));
  return nodes.filter((_, index) => known[index] !== trust);
}
