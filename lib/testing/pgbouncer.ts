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
  /** Ends the pooler as a crash would, and starts it anew on the same port. */
  restart(): Promise<void>;
  /** Lets it say nothing more until {@link thaw}: connections stay, as when its machine is cut off. */
  freeze(): void;
  thaw(): void;
  pid(): number;
};

/** A real pgbouncer in transaction mode before a database, working as the role of the services. */
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
  // It refuses to run as root, and its user must be able to read this.
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
