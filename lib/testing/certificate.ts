import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Creates a self-signed certificate for this machine, valid for some days: cert.pem and key.pem in the folder. */
export function makeCertificate(folder: string, days = 1): { certFile: string; keyFile: string } {
  const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", keyFile];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const result = Bun.spawnSync(["openssl", "req", "-x509", ...key, ...subject, "-days", `${days}`, "-out", certFile]);
  if (!result.success) throw new Error(`openssl failed to create a certificate: ${result.stderr.toString()}`);
  return { certFile, keyFile };
}

/**
 * Returns a certificate that this process trusts. ./scripts/test creates it before it starts Bun, because Bun reads
 * NODE_EXTRA_CA_CERTS at its start only.
 */
export function trustedCertificate(): { cert: string; key: string } {
  const folder = process.env["TEST_TLS_FOLDER"];
  if (!folder) throw new Error("TEST_TLS_FOLDER is not set: run this test with ./scripts/test int <pattern>");
  return { cert: readFileSync(join(folder, "cert.pem"), "utf8"), key: readFileSync(join(folder, "key.pem"), "utf8") };
}
