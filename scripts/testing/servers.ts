import { rm } from "node:fs/promises";
import { join } from "node:path";
import { makeCertificate } from "../../lib/testing/certificate.ts";
import { startConsulServer } from "../../lib/testing/consul_server.ts";
import type { ConsulServer } from "../../lib/testing/consul_server.ts";
import { freePort } from "../../lib/testing/free_port.ts";
import { redisReady } from "../../lib/testing/redis_server.ts";
import { writeRedisUsers } from "../../lib/testing/redis_users.ts";
import { until } from "../../lib/testing/until.ts";
import { bundlePrograms } from "../stack/release/bundle.ts";
import { createServersFolder } from "./memory_folder.ts";
import { initPostgres, isReady, postgresCommand } from "./postgres.ts";

/** Servers for the tests, on free ports and with data in a temporary folder. */
export type TestServers = {
  env: {
    TEST_REDIS_URL: string;
    TEST_DATABASE_URL: string;
    /** host:port of each test process's Consul, separated by commas. */
    TEST_CONSUL_ADDRS: string;
    /** Folder with the certificate of the tests' TLS servers; NODE_EXTRA_CA_CERTS makes processes trust it. */
    TEST_TLS_FOLDER: string;
    NODE_EXTRA_CA_CERTS: string;
    /** Folder of the services' bundles, for lib/testing/program.ts. */
    TEST_PROGRAMS?: string;
  };
  /** The first test process's Consul. */
  consul: ConsulServer;
  stop(): Promise<void>;
};

export type ServerOptions = {
  /** PostgreSQL settings on top of the tests' own, which trade crash safety for speed. */
  postgres?: Record<string, string>;
  /** Test processes that run at the same time. Each gets a Consul of its own. */
  processes?: number;
  /** True to bundle the services, which tests then start in half of the CPU time. */
  bundles?: boolean;
};

/** A test server is never started again after a crash. */
const withoutCrashSafety = { fsync: "off", full_page_writes: "off", checkpoint_timeout: "1h", max_wal_size: "1GB" };

/** Starts Redis, PostgreSQL and Consul; `stop` ends them and deletes their data. */
export async function startServers({
  postgres: settings = {},
  processes = 1,
  bundles = false,
}: ServerOptions = {}): Promise<TestServers> {
  const folder = await createServersFolder();
  const children: { child: Bun.Subprocess; signal: NodeJS.Signals }[] = [];
  const start = (name: string, command: string[], signal: NodeJS.Signals = "SIGTERM") => {
    const log = Bun.file(join(folder, `${name}.log`));
    const child = Bun.spawn(command, { stdout: log, stderr: log, stdin: "ignore" });
    children.push({ child, signal });
    return child;
  };
  const consuls: ConsulServer[] = [];
  const stop = async () => {
    await Promise.all([
      ...consuls.map((consul) => consul.stop()),
      ...children.map(async ({ child, signal }) => {
        child.kill(signal);
        const forced = setTimeout(() => child.kill("SIGKILL"), 5000);
        await child.exited;
        clearTimeout(forced);
      }),
    ]);
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
    start("postgres", postgresCommand(postgres, postgresPort, { ...withoutCrashSafety, ...settings }), "SIGINT");
    const programs = join(folder, "programs");
    const startConsul = async () => void consuls.push(await startConsulServer());
    await Promise.all([
      ...Array.from({ length: processes }, startConsul),
      redisReady(redisPort),
      ...(bundles ? [bundlePrograms(join(import.meta.dir, "../.."), programs)] : []),
      // PostgreSQL listens before it accepts queries.
      until(() => isReady(postgres, postgresPort), { what: "PostgreSQL" }),
    ]);
    return {
      env: {
        TEST_REDIS_URL: `redis://127.0.0.1:${redisPort}/0`,
        TEST_DATABASE_URL: `postgres://test:${postgres.password}@127.0.0.1:${postgresPort}/postgres`,
        TEST_CONSUL_ADDRS: consuls.map(({ addr }) => addr).join(),
        TEST_TLS_FOLDER: folder,
        NODE_EXTRA_CA_CERTS: makeCertificate(folder).certFile,
        ...(bundles ? { TEST_PROGRAMS: programs } : {}),
      },
      consul: consuls[0]!,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
