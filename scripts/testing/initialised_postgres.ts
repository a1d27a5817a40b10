import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../lib/testing/free_port.ts";
import { until } from "../../lib/testing/until.ts";
import { root } from "../stack/environment.ts";
import { asNobody, isReady, nobody, postgresBin, postgresCommand } from "./postgres.ts";
import type { PostgresFiles } from "./postgres.ts";

/** The roles of the platform; each has this password. */
const roles = ["postgres", "prosaas", "prosaas_app", "prosaas_replication", "prosaas_shards"];
export const initialPassword = "secret";

/** A server as the job postgres runs it: nomad/tasks/postgres-init.sh makes its data, without Nomad. */
export type InitialisedPostgres = {
  /** Holds /data, /secrets and /tmp of the task. */
  folder: string;
  port: number;
  /** Runs the script with further lines of /secrets/passwords. @throws with what it printed */
  init(lines?: Record<string, string>): Promise<void>;
  start(options?: { env?: Record<string, string>; settings?: Record<string, string> }): Promise<void>;
  stop(): Promise<void>;
  urlOf(role: string, database?: string): string;
  remove(): Promise<void>;
};

export async function createInitialisedPostgres(): Promise<InitialisedPostgres> {
  const folder = await mkdtemp(join(tmpdir(), "prosaas-init-"));
  await chmod(folder, 0o755);
  const files: PostgresFiles = {
    bin: await postgresBin(),
    folder,
    data: join(folder, "data/main"),
    password: initialPassword,
  };
  const port = await freePort();
  // The job mounts these folders at the root.
  const script = (await Bun.file(join(root, "nomad/tasks/postgres-init.sh")).text()).replaceAll(
    /(?<=[ "=>])\/(data|secrets|tmp)\b/g,
    (path) => (path === "/tmp" ? folder : `${folder}${path}`),
  );
  for (const name of ["data", "secrets"]) await mkdir(join(folder, name));
  await writeFile(join(folder, "init.sh"), script);
  let server: Bun.Subprocess | undefined;
  const stop = async () => {
    server?.kill("SIGINT");
    await server?.exited;
    server = undefined;
  };
  return {
    folder,
    port,
    init: async (lines = {}) => {
      const passwords = Object.fromEntries(roles.map((role) => [role, initialPassword]));
      const text = Object.entries({ ...passwords, ...lines }).map(([name, value]) => `${name}=${value}\n`);
      await writeFile(join(folder, "secrets/passwords"), text.join(""));
      if (process.getuid?.() === 0)
        for (const path of ["", "data", "secrets", "secrets/passwords", "init.sh"])
          await chown(join(folder, path), nobody.uid, nobody.gid);
      const child = Bun.spawn(asNobody(["sh", join(folder, "init.sh")]), {
        cwd: folder,
        env: { PATH: `${files.bin}:${process.env["PATH"]}` },
        stdout: "pipe",
        stderr: "pipe",
      });
      const said = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
      if ((await child.exited) !== 0) throw new Error(said.join(""));
    },
    start: async ({ env = {}, settings = {} } = {}) => {
      const all = { hba_file: join(folder, "data/pg_hba.conf"), max_connections: "100", ...settings };
      server = Bun.spawn(postgresCommand(files, port, all), {
        cwd: folder,
        env: { PATH: process.env["PATH"]!, ...env },
        stdout: "ignore",
        stderr: Bun.file(join(folder, "server.log")),
      });
      await until(() => isReady(files, port), { what: "PostgreSQL" });
    },
    stop,
    urlOf: (role, database = "prosaas") => `postgres://${role}:${initialPassword}@127.0.0.1:${port}/${database}`,
    remove: async () => {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
