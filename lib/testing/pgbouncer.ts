import { mkdtemp, rm, writeFile, chmod } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:net";
import { freePort } from "./free_port.ts";
import { until } from "./until.ts";

export type Pooler = {
  /** DATABASE_URL_POOLER. */
  url: string;
  stop(): Promise<void>;
  /** Kills the pooler and starts it again on the same port. */
  restart(): Promise<void>;
  /** Stops the process until {@link thaw}. Connections stay open without an answer, as in a network partition. */
  freeze(): void;
  thaw(): void;
  pid(): number;
};

/** Starts a real pgbouncer in transaction mode in front of a database, with the services' role. */
export async function startPooler(ownerUrl: string, { poolSize = 2 } = {}): Promise<Pooler> {
  const server = new URL(ownerUrl);
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), "prosaas-pgbouncer-"));
  const target = [
    `host=${server.hostname}`,
    `port=${server.port}`,
    `dbname=${server.pathname.slice(1)}`,
    `user=${server.username}`,
    ...(server.password ? [`password=${decodeURIComponent(server.password)}`] : []),
    `connect_query='set role prosaas_app'`,
  ];
  const config = [
    "[databases]",
    `app = ${target.join(" ")}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = any",
    "pool_mode = transaction",
    `default_pool_size = ${poolSize}`,
    // As in nomad/data/pgbouncer.nomad.hcl.
    "server_login_retry = 1",
    "server_connect_timeout = 5",
    "query_wait_timeout = 5",
    "max_client_conn = 1000",
  ];
  const file = join(folder, "pgbouncer.ini");
  await writeFile(file, config.join("\n"));
  // pgbouncer refuses to run as root; its user must be able to read the folder.
  await chmod(folder, 0o755);
  const asUser = process.getuid?.() === 0 ? ["-u", "nobody"] : [];

  const start = async () => {
    const process = Bun.spawn(["pgbouncer", "-q", ...asUser, file], { stdout: "ignore", stderr: "ignore" });
    await until(() => accepts(port), { what: "pgbouncer" });
    return process;
  };
  let running = await start();
  const kill = async () => {
    running.kill("SIGKILL");
    await running.exited;
  };
  return {
    url: `postgres://app@127.0.0.1:${port}/app`,
    stop: async () => {
      await kill();
      await rm(folder, { recursive: true });
    },
    restart: async () => {
      await kill();
      running = await start();
    },
    freeze: () => running.kill("SIGSTOP"),
    thaw: () => running.kill("SIGCONT"),
    pid: () => running.pid,
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
