import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free_port.ts";
import { until } from "./until.ts";

/** A Nomad server of a single test, without a client: it stores jobs, variables and policies but runs no tasks. */
export type NomadServer = {
  /** `http://host:port` of its HTTP interface. */
  readonly addr: string;
  /** Its data folder. A reset file in it lets an operator bootstrap ACLs again. */
  readonly dataDir: string;
  stop(): Promise<void>;
};

/** Starts Nomad with extra `settings` of its configuration file. Resolves when its leader has a keyring. */
export async function startNomadServer(settings: Record<string, unknown> = {}): Promise<NomadServer> {
  const folder = await mkdtemp(join(tmpdir(), "prosaas-nomad-"));
  const [http, rpc, serf] = await Promise.all([freePort(), freePort(), freePort()]);
  const file = join(folder, "nomad.json");
  const addr = `http://127.0.0.1:${http}`;
  await Bun.write(
    file,
    JSON.stringify({
      disable_update_check: true,
      bind_addr: "127.0.0.1",
      data_dir: join(folder, "data"),
      advertise: { http: "127.0.0.1", rpc: "127.0.0.1", serf: "127.0.0.1" },
      ports: { http, rpc, serf },
      server: { enabled: true, bootstrap_expect: 1 },
      ...settings,
    }),
  );
  const log = Bun.file(join(folder, "nomad.log"));
  const child = Bun.spawn(["nomad", "agent", `-config=${file}`], { stdin: "ignore", stdout: log, stderr: log });
  const stop = async () => {
    child.kill("SIGINT");
    const forced = setTimeout(() => child.kill("SIGKILL"), 5000);
    await child.exited;
    clearTimeout(forced);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    // A new leader creates the keyring last. Until then it can neither store variables nor sign identities.
    await until(async () => (await publicKeys(addr)).length > 0, { deadlineMs: 60_000, what: "Nomad's keyring" });
  } catch (error) {
    await stop();
    throw error;
  }
  return { addr, dataDir: join(folder, "data"), stop };
}

async function publicKeys(addr: string): Promise<readonly unknown[]> {
  const response = await fetch(`${addr}/.well-known/jwks.json`, { signal: AbortSignal.timeout(5_000) });
  const { keys } = (await response.json()) as { keys?: readonly unknown[] | null };
  return keys ?? [];
}
