import { mkdtemp, rm, chown, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startConsulServer } from "../../lib/testing/consul_server.ts";
import { freePort } from "../../lib/testing/free_port.ts";
import { until } from "../../lib/testing/until.ts";

/** Real servers for the tests, on free ports, with their data in a temporary folder. */
export type TestServers = {
  env: { TEST_REDIS_URL: string; TEST_DATABASE_URL: string; TEST_CONSUL_ADDR: string };
  /** Port of Consul's DNS interface, UDP and TCP. */
  consulDnsPort: number;
  stop(): Promise<void>;
};

/** Debian's unprivileged account: PostgreSQL refuses to run as root. */
const nobody = { uid: 65_534, gid: 65_534 };
const asNobody = (command: string[]): string[] =>
  process.getuid?.() === 0 ? ["setpriv", `--reuid=${nobody.uid}`, `--regid=${nobody.gid}`, "--clear-groups", ...command] : command;

async function run(command: string[]): Promise<void> {
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe", stdin: "ignore" });
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`${command.join(" ")} exited ${code}:\n${out}${err}`);
}

async function postgresBin(): Promise<string> {
  const bins = await Array.fromAsync(new Bun.Glob("*/bin/postgres").scan({ cwd: "/usr/lib/postgresql", onlyFiles: false }));
  const newest = bins.toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)).at(-1);
  if (!newest) throw new Error("PostgreSQL's server is not installed; ./scripts/up or ./scripts/test installs it");
  return join("/usr/lib/postgresql", newest, "..");
}

export type ServerOptions = {
  /** Settings of PostgreSQL on top of the tests' own, which give its crash safety for speed. */
  postgres?: Record<string, string>;
};

/** Starts Redis, PostgreSQL and Consul together; `stop` ends them and removes their data. */
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
    start("redis", ["redis-server", "--port", `${redisPort}`, "--bind", "127.0.0.1", "--save", "", "--databases", "64", "--dir", folder]);
    const bin = await postgresBin();
    const data = join(folder, "postgres");
    const password = crypto.randomUUID();
    const passwordFile = join(folder, "password");
    await writeFile(passwordFile, password, { mode: 0o600 });
    if (process.getuid?.() === 0) {
      await chown(folder, nobody.uid, nobody.gid);
      await chown(passwordFile, nobody.uid, nobody.gid);
    }
    await run(
      asNobody([
        join(bin, "initdb"),
        "-D",
        data,
        "-U",
        "test",
        "-A",
        "scram-sha-256",
        `--pwfile=${passwordFile}`,
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "-N",
      ]),
    );
    start(
      "postgres",
      asNobody([
        join(bin, "postgres"),
        "-D",
        data,
        "-p",
        `${postgresPort}`,
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        `unix_socket_directories=${folder}`,
        "-c",
        "fsync=off",
        "-c",
        "max_connections=300",
        ...Object.entries(options.postgres ?? {}).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
      ]),
      "SIGINT",
    );
    const open = async (port: number) => {
      const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data: () => {} } });
      socket.end();
      return true;
    };
    const deadlineMs = 30_000;
    await Promise.all([
      until(() => open(redisPort), { deadlineMs, what: "Redis" }),
      // It listens before it can answer.
      until(async () => (await Bun.spawn([join(bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", `${postgresPort}`]).exited) === 0, {
        deadlineMs,
        what: "PostgreSQL",
      }),
    ]);
    return {
      env: {
        TEST_REDIS_URL: `redis://127.0.0.1:${redisPort}/0`,
        TEST_DATABASE_URL: `postgres://test:${password}@127.0.0.1:${postgresPort}/postgres`,
        TEST_CONSUL_ADDR: consul.addr,
      },
      consulDnsPort: consul.dnsPort,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
