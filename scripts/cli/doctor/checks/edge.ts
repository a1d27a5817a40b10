import { parseMaintenance } from "../../scale/maintenance_setting.ts";
import { duration, error, quoted, warning } from "../finding.ts";
import type { Fault } from "../finding.ts";

export type CertificateNow =
  | {
      validTo: Date;
      /** Why a client refuses it; null if it accepts it. */
      refusal: string | null;
    }
  | { unreachable: string };

/** An authority that issues for 90 days renews a month before the end. */
const renewWithinMs = 14 * 86_400_000;

export function judgeCertificate(address: string, certificate: CertificateNow, now: number): Fault[] {
  const logs = "See: task logs -- nginx, nomad job status nginx";
  if ("unreachable" in certificate) {
    return [error(`${address} does not answer a TLS handshake: ${quoted(certificate.unreachable)}`, logs)];
  }
  const leftMs = certificate.validTo.getTime() - now;
  const renew = "See task logs -- acme, or renew it in nomad/jobs/nginx (tls_certificate, tls_key). up renews its own.";
  if (leftMs <= 0) return [error(`The certificate of ${address} expired ${duration(-leftMs)} ago.`, renew)];
  if (certificate.refusal !== null)
    return [error(`Clients refuse the certificate of ${address}: ${quoted(certificate.refusal)}`, renew)];
  if (leftMs > renewWithinMs) return [];
  return [warning(`The certificate of ${address} expires in ${duration(leftMs)}.`, renew)];
}

export function judgeMaintenance(setting: string | undefined): Fault[] {
  if (parseMaintenance(setting) === null) return [];
  return [warning("Maintenance is on: the edge answers 503 to requests to the API.", "task maintenance SET=off")];
}

export function judgeReference(address: string, answer: { status: number } | { unreachable: string }): Fault[] {
  if ("status" in answer && answer.status === 200) return [];
  const what = "status" in answer ? `status ${answer.status}` : answer.unreachable;
  const help = "See: task status, task logs -- nginx, task logs -- api";
  return [error(`The API does not answer GET ${address}/v1/openapi.json: ${quoted(what)}`, help)];
}
