import { chown, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { AppError } from "../../../lib/core/errors.ts";
import { sleep } from "../../../lib/core/time.ts";
import { runProgram } from "../../stack/program.ts";
import { asNobody, nobody, postgresBin } from "../../testing/postgres.ts";
import type { Manifest } from "./manifest.ts";
import type { Variables } from "./sources.ts";

/** Replaying a day's log takes minutes. */
const recoveredWithinMs = 60 * 60_000;

export type Inspected = { businesses: number; sessions: number };

/** The options of pgBackRest that the task of Postgres has. */
const repositoryOptions = (variables: Variables): Record<string, string> =>
  Object.fromEntries(
    Object.entries(variables.get("nomad/jobs/postgres") ?? {}).filter(([item]) => item.startsWith("PGBACKREST_")),
  );

/**
 * Restores Postgres into a folder of this machine, starts it there without a port, and compares it with the manifest.
 * Writes nothing to the repository.
 */
export async function inspectPostgres(
  { postgres: base, shards }: Manifest & { postgres: NonNullable<Manifest["postgres"]> },
  variables: Variables,
): Promise<Inspected> {
  const folder = await mkdtemp(join(tmpdir(), "prosaas-verify-"));
  const data = join(folder, "data");
  const env = {
    PATH: process.env["PATH"],
    ...repositoryOptions(variables),
    // Debian's file has options of another server, and its folders belong to another user.
    PGBACKREST_CONFIG: "/dev/null",
    PGBACKREST_LOCK_PATH: folder,
    PGBACKREST_SPOOL_PATH: folder,
    PGBACKREST_LOG_LEVEL_FILE: "off",
  };
  let server: Bun.Subprocess | undefined;
  try {
    await mkdir(data, { mode: 0o700 });
    // The socket lies in the folder, which only root and the server may enter.
    await writeFile(join(folder, "hba.conf"), "local all all trust\n");
    if (process.getuid?.() === 0)
      for (const path of [folder, data, join(folder, "hba.conf")]) await chown(path, nobody.uid, nobody.gid);
    const target = [`--set=${base.label}`, "--type=name", `--target=${base.restore_point}`, "--target-action=promote"];
    const restore = ["pgbackrest", "--stanza=prosaas", `--pg1-path=${data}`, ...target, "restore"];
    const { code, stdout, stderr } = await runProgram(asNobody(restore), { cwd: folder, env });
    if (code !== 0) throw new AppError("unavailable", `pgBackRest could not restore: ${(stdout + stderr).trim()}`);
    const settings = {
      listen_addresses: "",
      unix_socket_directories: folder,
      hba_file: join(folder, "hba.conf"),
      archive_mode: "off",
      // Connections wait for the end of the log, and max_connections may be smaller than the primary's.
      hot_standby: "off",
    };
    const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const log = Bun.file(join(folder, "postgres.log"));
    server = Bun.spawn(asNobody([join(await postgresBin(), "postgres"), "-D", data, ...options]), {
      cwd: folder,
      env,
      stdin: "ignore",
      stdout: log,
      stderr: log,
    });
    return await compare(folder, server, shards);
  } finally {
    server?.kill("SIGINT");
    await server?.exited;
    await rm(folder, { recursive: true, force: true });
  }
}

async function compare(folder: string, server: Bun.Subprocess, shards: Manifest["shards"]): Promise<Inspected> {
  const sql = postgres({ path: join(folder, ".s.PGSQL.5432"), user: "postgres", database: "prosaas", max: 1 });
  try {
    await recovered(sql, server, folder);
    const copies = await sql<{ shard: number; snapshot_key: string | null }[]>`
      select shard, snapshot_key from shard_copies order by shard`;
    const expected = shards.map(({ shard, snapshot_key }) => ({ shard, snapshot_key }));
    if (shards.length > 0 && !Bun.deepEquals([...copies], expected))
      throw new AppError("conflict", "The restored Postgres has other copies of shards than the backup.");
    const [counts] = await sql<[Inspected]>`
      select (select count(*) from businesses)::int as businesses,
             (select count(*) from whatsapp_sessions where paired)::int as sessions`;
    return counts;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function recovered(sql: postgres.Sql, server: Bun.Subprocess, folder: string): Promise<void> {
  const deadline = performance.now() + recoveredWithinMs;
  for (;;) {
    try {
      await sql`select 1`;
      return;
    } catch (error) {
      if (server.exitCode === null && performance.now() < deadline) {
        await sleep(200);
        continue;
      }
      const log = (await Bun.file(join(folder, "postgres.log")).text()).trim().split("\n").slice(-4).join(" ");
      throw new AppError("unavailable", `The restored Postgres did not start: ${log}`, { cause: error });
    }
  }
}
