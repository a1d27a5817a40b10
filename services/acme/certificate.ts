import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../lib/core/errors.ts";

/** PEM: the certificate, followed by those of its issuers, and its key. */
export type Pair = { readonly certificate: string; readonly key: string };

const dayMs = 86_400_000;

/** Why a certificate must be replaced; null if it need not be. */
export function reasonToRenew(
  pem: string | undefined,
  { domains, renewDays, now }: { domains: readonly string[]; renewDays: number; now: number },
): string | null {
  if (pem === undefined || pem.trim() === "") return "there is none";
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch (error) {
    return `it cannot be read: ${messageOf(error)}`;
  }
  const missing = domains.filter((domain) => certificate.checkHost(domain) === undefined);
  if (missing.length > 0) return `it does not name ${missing.join(", ")}`;
  const left = Date.parse(certificate.validTo) - now;
  return left < renewDays * dayMs ? `it ends on ${new Date(certificate.validTo).toISOString()}` : null;
}

/** Throws unless nginx and clients can use the pair for these domains. */
export function requireUsable({ certificate, key }: Pair, domains: readonly string[], now: number): void {
  const fault = reasonToRenew(certificate, { domains, renewDays: 0, now });
  if (fault !== null) throw new Error(`the new certificate is of no use: ${fault}`);
  if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)))
    throw new Error("the new certificate is of no use: its key is another one");
}

/** A certificate that names no authority, for an edge that has none yet: nginx does not start without one. */
export async function makeTemporary(domain: string, parent: string): Promise<Pair> {
  const folder = await mkdtemp(join(parent, "temporary-"));
  const [config, certificate, key] = ["openssl.cnf", "tls.crt", "tls.key"].map((name) => join(folder, name));
  try {
    // Its own configuration is below /etc, which tasks do not see.
    await Bun.write(config!, "[req]\ndistinguished_name = dn\n[dn]\n");
    const pair = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key!, "-days", "1"];
    const subject = ["-subj", "/CN=temporary", "-addext", `subjectAltName=DNS:${domain}`];
    const openssl = Bun.spawn(
      ["openssl", "req", "-x509", "-config", config!, ...pair, ...subject, "-out", certificate!],
      { stdin: "ignore", stdout: "ignore", stderr: "pipe" },
    );
    const [problem, code] = await Promise.all([new Response(openssl.stderr).text(), openssl.exited]);
    if (code !== 0) throw new Error(`openssl made no certificate: ${problem}`);
    return { certificate: await Bun.file(certificate!).text(), key: await Bun.file(key!).text() };
  } finally {
    await rm(folder, { recursive: true });
  }
}

export const fingerprintOf = (pem: string): string => new X509Certificate(pem).fingerprint256;
