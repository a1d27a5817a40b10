import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../../lib/testing/certificate.ts";
import { startConsulServer } from "../../lib/testing/consul_server.ts";
import { freePort } from "../../lib/testing/free_port.ts";
import { writeRedisUsers } from "../../lib/testing/redis_users.ts";
import { until } from "../../lib/testing/until.ts";
import { initPostgres, isReady, postgresCommand } from "./postgres.ts";

/** Servers for the tests, on free ports and with data in a temporary folder. */
export type TestServers = {
  env: {
    TEST_REDIS_URL: string;
    TEST_DATABASE_URL: string;
    TEST_CONSUL_ADDR: string;
    /** Folder with the certificate of the tests' TLS servers; NODE_EXTRA_CA_CERTS makes processes trust it. */
    TEST_TLS_FOLDER: string;
    NODE_EXTRA_CA_CERTS: string;
  };
  /** Port of Consul's DNS interface, UDP and TCP. */
  consulDnsPort: number;
  stop(): Promise<void>;
};

export type ServerOptions = {
  /** PostgreSQL settings on top of the tests' own, which trade crash safety for speed. */
  postgres?: Record<string, string>;
};

/** Starts Redis, PostgreSQL and Consul; `stop` ends them and deletes their data. */
export async function startServers(options: ServerOptions = {}): Promise<TestServers> {
  const folder = await mkdtemp(join(tmpdir(), "prosaas-test-"));
  const children: { child: Bun.Subprocess; signal: NodeJS.Signals }[] = [];
  const start = (name: string, command: string[], signal: NodeJS.Signals = "SIGTERM") => {
    const log = Bun.file(join(folder, `${name}.log`));
    const child = Bun.spawn(command, { stdout: log, stderr: log, stdin: "ignore" });
    children.push({ child, signal });
    return child;
  };
  const consul = await startConsulServer();
  const stop = async () => {
    await consul.stop();
    await Promise.all(
      children.map(async ({ child, signal }) => {
        child.kill(signal);
        const forced = setTimeout(() => child.kill("SIGKILL"), 5000);
        await child.exited;
        clearTimeout(forced);
      }),
    );
    await rm(folder, { recursive: true, force: true });
  };

  try {
    const [redisPort, postgresPort] = await Promise.all([freePort(), freePort()]);
    const users = writeRedisUsers(folder);
    const redis = [
      "redis-server",
      "--port",
      `${redisPort}`,
      "--bind",
      "127.0.0.1",
      "--save",
      "",
      "--databases",
      "64",
      "--dir",
      folder,
    ];
    start("redis", [...redis, "--aclfile", users]);
    const postgres = await initPostgres(folder);
    start("postgres", postgresCommand(postgres, postgresPort, { fsync: "off", ...options.postgres }), "SIGINT");
    const open = async (port: number) => {
      const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data: () => {} } });
      socket.end();
      return true;
    };
    const deadlineMs = 30_000;
    await Promise.all([
      until(() => open(redisPort), { deadlineMs, what: "Redis" }),
      // PostgreSQL listens before it accepts queries.
      until(() => isReady(postgres, postgresPort), {
        deadlineMs,
        what: "PostgreSQL",
      }),
    ]);
    return {
      env: {
        TEST_REDIS_URL: `redis://127.0.0.1:${redisPort}/0`,
        TEST_DATABASE_URL: `postgres://test:${postgres.password}@127.0.0.1:${postgresPort}/postgres`,
        TEST_CONSUL_ADDR: consul.addr,
        TEST_TLS_FOLDER: folder,
        NODE_EXTRA_CA_CERTS: makeCertificate(folder).certFile,
      },
      consulDnsPort: consul.dnsPort,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
