import { connect } from "node:tls";
import type { ConsulClient } from "../../lib/consul/client.ts";
import { randomToken } from "../../lib/core/secret.ts";
import { sleep } from "../../lib/core/time.ts";

/** Consul, the renderer and a reload take 3 s; a first start of an edge takes longer. */
const deadlineMs = 120_000;
const pollMs = 250;
const timeoutMs = 5_000;

type Edge = { host: string; port: number };
type Instance = { Node: { Address: string }; Service: { Address: string; Port: number } };

/** The edges that pass their checks. */
async function listEdges(consul: ConsulClient): Promise<Edge[]> {
  const { body } = await consul.blockingGet("/v1/health/service/prosaas-edge?passing=true", { index: 0 });
  return (body as Instance[]).map(({ Node, Service }) => ({
    host: Service.Address || Node.Address,
    port: Service.Port,
  }));
}

/** Waits until there is an edge, and `test` holds for each one. */
async function untilEach(consul: ConsulClient, what: string, test: (edge: Edge) => Promise<boolean>): Promise<number> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const edges = await listEdges(consul);
    const results = await Promise.all(edges.map((edge) => test(edge).catch(() => false)));
    const late = edges.filter((_, index) => !results[index]);
    if (edges.length > 0 && late.length === 0) return edges.length;
    if (Date.now() > end) {
      const which =
        edges.length === 0 ? "no edge is in Consul" : late.map(({ host, port }) => `${host}:${port}`).join();
      throw new Error(`not every edge ${what} within ${deadlineMs / 1000} s: ${which}`);
    }
    await sleep(pollMs);
  }
}

/** Waits until every edge forwards challenges to `host:port`, where nothing listens yet. */
export async function untilForwarded(consul: ConsulClient, address: { host: string; port: number }): Promise<number> {
  const [token, answer] = [randomToken(), randomToken()];
  const responder = Bun.serve({ hostname: address.host, port: address.port, fetch: () => new Response(answer) });
  try {
    return await untilEach(consul, "forwards challenges", async ({ host, port }) => {
      const response = await fetch(`https://${host}:${port}/.well-known/acme-challenge/${token}`, {
        tls: { rejectUnauthorized: false },
        signal: AbortSignal.timeout(timeoutMs),
      });
      return (await response.text()) === answer;
    });
  } finally {
    // lego listens at the same address.
    await responder.stop(true);
  }
}

/** Waits until every edge presents a certificate. */
export const untilPresented = (consul: ConsulClient, fingerprint: string): Promise<number> =>
  untilEach(consul, "presents the certificate", async (edge) => (await presented(edge)) === fingerprint);

function presented({ host, port }: Edge): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error("no handshake")));
    socket.once("error", reject);
  });
}
