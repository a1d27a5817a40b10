import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free_port.ts";
import { until } from "./until.ts";

/** A Consul agent of a single test, without persistence. */
export type ConsulServer = {
  /** host:port of its HTTP interface. */
  readonly addr: string;
  /** Port of its DNS interface, UDP and TCP. */
  readonly dnsPort: number;
  stop(): Promise<void>;
};

/** Starts Consul with extra `settings` of its configuration file. Resolves when it has registered itself. */
export async function startConsulServer(settings: Record<string, unknown> = {}): Promise<ConsulServer> {
  const folder = await mkdtemp(join(tmpdir(), "prosaas-consul-"));
  const [http, dns, server, serf] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const file = join(folder, "consul.json");
  const ports = { http, dns, server, serf_lan: serf, serf_wan: -1, grpc: -1, grpc_tls: -1 };
  await Bun.write(file, JSON.stringify({ disable_update_check: true, ports, ...settings }));
  const log = Bun.file(join(folder, "consul.log"));
  const child = Bun.spawn(
    ["consul", "agent", "-dev", "-bind=127.0.0.1", "-client=127.0.0.1", "-log-level=warn", `-config-file=${file}`],
    {
      stdin: "ignore",
      stdout: log,
      stderr: log,
    },
  );
  const stop = async () => {
    child.kill("SIGINT");
    const forced = setTimeout(() => child.kill("SIGKILL"), 5000);
    await child.exited;
    clearTimeout(forced);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until(() => isReady(`http://127.0.0.1:${http}`), { what: "Consul's leader" });
  } catch (error) {
    await stop();
    throw error;
  }
  return { addr: `127.0.0.1:${http}`, dnsPort: dns, stop };
}

/**
 * A new leader is named before it serves consistent reads, and before the catalogue has its node, which Consul sessions
 * need. With access control, a client without a token sees neither.
 */
async function isReady(url: string): Promise<boolean> {
  const get = (path: string) => fetch(`${url}${path}`, { signal: AbortSignal.timeout(5_000) });
  const { status } = await get("/v1/kv/ready?consistent");
  if (status === 403) return true;
  if (status !== 404) return false;
  const checks = (await (await get("/v1/health/state/passing")).json()) as { CheckID: string }[];
  return checks.some(({ CheckID }) => CheckID === "serfHealth");
}
