import { z } from "zod";
import { AppError } from "../../../lib/core/errors.ts";
import { sleep } from "../../../lib/core/time.ts";
import { connectAsOwner } from "../../../lib/db/client/owner.ts";
import type { OwnerConnection } from "../../../lib/db/client/owner.ts";
import type { Manifest } from "./manifest.ts";
import { nextType } from "./retention.ts";

/*
 * pgBackRest has to read PGDATA, so it runs in the task of the server: the server itself starts it, on the request of
 * its superuser (COPY FROM PROGRAM). It needs no other process with the volume, no port, and no right to execute
 * commands in allocations. Its options are in a file of the task (nomad/tasks/pgbackrest.conf.ctmpl).
 */

type BaseBackup = Pick<
  NonNullable<Manifest["postgres"]>,
  "label" | "type" | "version" | "system_id" | "database_bytes" | "repository_bytes"
>;

const backup = z.object({
  label: z.string(),
  type: z.enum(["full", "diff", "incr"]),
  database: z.object({ id: z.int() }),
  timestamp: z.object({ stop: z.int() }),
  info: z.object({ size: z.int(), repository: z.object({ delta: z.int() }) }),
});
const stanzas = z.array(
  z.object({
    backup: z.array(backup),
    db: z.array(z.object({ id: z.int(), version: z.string() })),
  }),
);

/** Archived within this time, or the archive is out of order. */
const archivedWithinMs = 120_000;

/** The server as its superuser, on the database `postgres`: an hour's COPY must not hold back the vacuum of others. */
export class PostgresServer {
  readonly #sql: OwnerConnection;

  constructor(url: string) {
    const server = new URL(url);
    server.pathname = "/postgres";
    this.#sql = connectAsOwner({ url: server.toString(), applicationName: "prosaas-backup" });
  }

  close(): Promise<void> {
    return this.#sql.end({ timeout: 1 });
  }

  /** @throws AppError if the server does not archive its log. */
  async requireArchiving(): Promise<void> {
    const [row] = await this.#sql<[{ archives: boolean }]>`
      select current_setting('archive_mode') <> 'off' and current_setting('archive_command') <> '' as archives`;
    if (row.archives) return;
    throw new AppError(
      "conflict",
      "Postgres does not archive its log: give nomad/jobs/postgres the items of pgBackRest (scripts/cli/backup).",
    );
  }

  /** Makes a base backup. pgBackRest then removes what is older than `keepDays`. */
  async backUp(keepDays: number): Promise<BaseBackup> {
    await this.#pgbackrest("stanza-create");
    const before = await this.#info();
    const lastFull = before.backup.findLast(({ type }) => type === "full")?.timestamp.stop;
    const type = nextType(lastFull === undefined ? undefined : new Date(lastFull * 1000), new Date());
    const retention = `--repo1-retention-full-type=time --repo1-retention-full=${keepDays}`;
    // The archiver may wait for a minute after it failed, as it does before there is a stanza.
    await this.#pgbackrest(`--type=${type} --start-fast --archive-timeout=300 ${retention} backup`);
    const { backup: all, db } = await this.#info();
    const made = all.at(-1)!;
    const of = db.find(({ id }) => id === made.database.id)!;
    // pgBackRest prints it as a number, which JSON.parse rounds.
    const [system] = await this.#sql<[{ id: string }]>`select system_identifier::text as id from pg_control_system()`;
    return {
      label: made.label,
      type: made.type,
      version: of.version,
      system_id: system.id,
      database_bytes: made.info.size,
      repository_bytes: made.info.repository.delta,
    };
  }

  /** Labels of the base backups that can be restored. */
  async labels(): Promise<string[]> {
    return (await this.#info()).backup.map(({ label }) => label);
  }

  /** Marks the present point in the log, and returns once it is archived. */
  async markRestorePoint(name: string): Promise<{ wal: string; at: Date }> {
    const [point] = await this.#sql<[{ wal: string; at: Date }]>`
      select pg_walfile_name(pg_create_restore_point(${name})) as wal, clock_timestamp() as at`;
    await this.#sql`select pg_switch_wal()`;
    const deadline = performance.now() + archivedWithinMs;
    for (;;) {
      const [row] = await this.#sql<[{ last: string | null; failed: string | null }]>`
        select left(last_archived_wal, 24) as last,
               case when last_failed_time > coalesce(last_archived_time, '-infinity') then last_failed_wal end as failed
        from pg_stat_archiver`;
      if (row.last !== null && row.last >= point.wal) return point;
      if (performance.now() > deadline) {
        const why = row.failed === null ? "" : ` (${row.failed} failed last)`;
        throw new AppError("unavailable", `Postgres does not archive ${point.wal}${why}. See: task logs -- postgres`);
      }
      await sleep(200);
    }
  }

  async #info() {
    const [stanza] = stanzas.parse(JSON.parse((await this.#pgbackrest("--output=json info")).join("\n")));
    if (stanza === undefined) throw new AppError("unavailable", "pgBackRest knows no stanza.");
    return stanza;
  }

  /** Runs pgBackRest in the task of the server, and returns what it printed. */
  async #pgbackrest(command: string): Promise<string[]> {
    // pgBackRest ends its JSON without a line break.
    const run = `/usr/bin/pgbackrest --stanza=prosaas --log-level-console=warn ${command} 2>&1`;
    const program = `${run}; code=$?; echo; echo "exit=$code"`;
    await this.#sql`create temporary table if not exists output (line text)`;
    await this.#sql`truncate output`;
    // A program that fails fails the COPY without what it printed, so its exit code is the last line.
    const form = String.raw`format csv, delimiter E'\x01', quote E'\x02'`;
    await this.#sql.unsafe(`copy output from program '${program.replaceAll("'", "''")}' with (${form})`);
    const lines = (await this.#sql<{ line: string | null }[]>`select line from output order by ctid`).map(
      ({ line }) => line ?? "",
    );
    if (lines.pop() === "exit=0") return lines;
    const said = lines.slice(-5).join(" ").trim();
    throw new AppError("unavailable", `pgBackRest failed: ${said || "it cannot be started"}`);
  }
}
