import { chown, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Debian's unprivileged account: PostgreSQL refuses to run as root. */
export const nobody = { uid: 65_534, gid: 65_534 };
/** The command as that account if this process is root. */
export const asNobody = (command: string[]): string[] =>
  process.getuid?.() === 0
    ? ["setpriv", `--reuid=${nobody.uid}`, `--regid=${nobody.gid}`, "--clear-groups", ...command]
    : command;

async function run(command: string[]): Promise<void> {
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe", stdin: "ignore" });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`${command.join(" ")} exited ${code}:\n${out}${err}`);
}

export async function postgresBin(): Promise<string> {
  const bins = await Array.fromAsync(
    new Bun.Glob("*/bin/postgres").scan({ cwd: "/usr/lib/postgresql", onlyFiles: false }),
  );
  const newest = bins.toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)).at(-1);
  if (!newest) throw new Error("PostgreSQL's server is not installed; ./scripts/up or ./scripts/test installs it");
  return join("/usr/lib/postgresql", newest, "..");
}

/** An initialised database cluster that is not running. */
export type PostgresFiles = { bin: string; folder: string; data: string; password: string };

/** Initialises a cluster in `folder` with the superuser "test". */
export async function initPostgres(folder: string): Promise<PostgresFiles> {
  const bin = await postgresBin();
  const data = join(folder, "postgres");
  const password = crypto.randomUUID();
  const passwordFile = join(folder, "password");
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (process.getuid?.() === 0) {
    await chown(folder, nobody.uid, nobody.gid);
    await chown(passwordFile, nobody.uid, nobody.gid);
  }
  const settings = ["-A", "scram-sha-256", `--pwfile=${passwordFile}`, "-E", "UTF8", "--locale=C.UTF-8", "-N"];
  await run(asNobody([join(bin, "initdb"), "-D", data, "-U", "test", ...settings]));
  return { bin, folder, data, password };
}

/** Command that runs the server in the foreground. */
export function postgresCommand(
  { bin, folder, data }: PostgresFiles,
  port: number,
  settings: Record<string, string> = {},
): string[] {
  const all = { listen_addresses: "127.0.0.1", unix_socket_directories: folder, max_connections: "300", ...settings };
  const arguments_ = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  return asNobody([join(bin, "postgres"), "-D", data, "-p", `${port}`, ...arguments_]);
}

/** True if the server accepts queries: it listens earlier. */
export async function isReady({ bin }: PostgresFiles, port: number): Promise<boolean> {
  return (await Bun.spawn([join(bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", `${port}`]).exited) === 0;
}
