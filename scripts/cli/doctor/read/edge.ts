import { isIP } from "node:net";
import { connect } from "node:tls";
import { messageOf } from "../../../../lib/core/errors.ts";
import { deadline } from "../../../../lib/core/time.ts";
import type { Stack } from "../../operator/stack.ts";
import type { CertificateNow } from "../checks/edge.ts";

const answerMs = 10_000;

/** The certificate that the server at an address presents, judged as a client judges it that trusts `ca`. */
export function readCertificate(address: string, ca: string): Promise<CertificateNow> {
  const { hostname, port } = new URL(address);
  const host = hostname.replaceAll(/[[\]]/g, "");
  return new Promise((resolve) => {
    const name = isIP(host) === 0 ? { servername: host } : {};
    const options = { host, port: Number(port || 443), ca, rejectUnauthorized: false, ...name };
    const socket = connect(options, () => {
      const validTo = new Date(socket.getPeerCertificate().valid_to);
      const refusal = socket.authorized ? null : String(socket.authorizationError);
      socket.destroy();
      resolve({ validTo, refusal });
    });
    socket.setTimeout(answerMs, () => socket.destroy(new Error(`no answer within ${answerMs / 1000} s`)));
    socket.once("error", (error) => resolve({ unreachable: messageOf(error) }));
  });
}

export async function readReference(
  address: string,
  ca: string,
): Promise<{ status: number } | { unreachable: string }> {
  try {
    const response = await fetch(new URL("/v1/openapi.json", address), { tls: { ca }, signal: deadline(answerMs) });
    await response.json();
    return { status: response.status };
  } catch (error) {
    return { unreachable: messageOf(error) };
  }
}

export const readAuthority = ({ ca_file }: Stack): Promise<string> => Bun.file(ca_file).text();
