import { chown, mkdtemp, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import postgres from "postgres";
import { freePort } from "./free_port.ts";
import { until } from "./until.ts";

export type TestReplica = {
  /** DATABASE_URL_READ, as the superuser, of the same database. */
  url: string;
  /** Pauses WAL replay, so that the replica falls behind, until {@link resume}. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Stops the server at once, as a crash would. */
  stop(): Promise<void>;
  start(): Promise<void>;
  remove(): Promise<void>;
};

/** An unprivileged user and group id, because Postgres refuses to run as root. */
const unprivilegedId = 65_534;

/**
 * Starts a streaming replica of the test server, beside its data. It replays the databases that all tests create, which
 * costs ext4 30 s of CPU time in a run: a search for inodes that were not deleted just now. Test servers are in memory.
 */
export async function createTestReplica(ownerUrl: string): Promise<TestReplica> {
  const primary = new URL(ownerUrl);
  const probe = postgres(ownerUrl, { max: 1, onnotice: () => {} });
  const [{ bin, primaryData }] = await probe<[{ bin: string; primaryData: string }]>`
    select setting as bin, current_setting('data_directory') as "primaryData" from pg_config where name = 'BINDIR'`;
  // The primary keeps its write-ahead log for the slot. Without one, the writes of other tests recycle segments that
  // the backup or a stopped replica still needs, and the replica never catches up.
  const slot = `test_replica_${crypto.randomUUID().replaceAll("-", "")}`;
  await probe`select pg_create_physical_replication_slot(${slot}, immediately_reserve => true)`;
  await probe.end({ timeout: 1 });
  const folder = await mkdtemp(join(dirname(primaryData), "replica-"));
  const asRoot = process.getuid?.() === 0;
  if (asRoot) await chown(folder, unprivilegedId, unprivilegedId);
  const dropPrivileges = ["setpriv", `--reuid=${unprivilegedId}`, `--regid=${unprivilegedId}`, "--clear-groups"];
  const unprivileged = (command: string[]) => (asRoot ? [...dropPrivileges, ...command] : command);
  const data = join(folder, "data");
  const password = decodeURIComponent(primary.password);
  const copied = Bun.spawnSync(
    unprivileged([
      join(bin, "pg_basebackup"),
      `--host=${primary.hostname}`,
      `--port=${primary.port}`,
      `--username=${primary.username}`,
      `--pgdata=${data}`,
      "--write-recovery-conf",
      "--wal-method=stream",
      `--slot=${slot}`,
      "--checkpoint=fast",
    ]),
    { env: { ...process.env, PGPASSWORD: password } },
  );
  if (!copied.success) throw new Error(`pg_basebackup: ${copied.stderr.toString()}`);

  const port = await freePort();
  const url = new URL(ownerUrl);
  url.port = String(port);
  let server: Bun.Subprocess | undefined;

  const run = async <T>(statement: string): Promise<T> => {
    const sql = postgres(url.toString(), { max: 1, onnotice: () => {} });
    try {
      return (await sql.unsafe(statement)) as T;
    } finally {
      await sql.end({ timeout: 1 });
    }
  };
  const start = async () => {
    const log = Bun.file(join(folder, "log"));
    server = Bun.spawn(
      unprivileged([
        join(bin, "postgres"),
        "-D",
        data,
        "-p",
        `${port}`,
        "-c",
        `unix_socket_directories=${folder}`,
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "fsync=off",
        "-c",
        "max_connections=300",
      ]),
      {
        stdin: "ignore",
        stdout: log,
        stderr: log,
      },
    );
    await until(() => run("select 1"), { what: "the replica" });
  };
  const stop = async () => {
    server?.kill("SIGQUIT");
    await server?.exited;
    server = undefined;
  };
  await start();
  return {
    url: url.toString(),
    pause: async () => void (await run("select pg_wal_replay_pause()")),
    resume: async () => void (await run("select pg_wal_replay_resume()")),
    start,
    stop,
    remove: async () => {
      await stop();
      await dropSlot(ownerUrl, slot);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Drops a slot once the primary has noticed that its replica is gone. */
async function dropSlot(ownerUrl: string, slot: string): Promise<void> {
  const sql = postgres(ownerUrl, { max: 1, onnotice: () => {} });
  try {
    await until(() => sql`select pg_drop_replication_slot(${slot})`, { what: "the replica's slot to be free" });
  } finally {
    await sql.end({ timeout: 1 });
  }
}
