import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { applyMigrations } from "../../../lib/db/migrations/migrate.ts";
import { connectAsOwner } from "../../../lib/db/client/owner.ts";
import { ensureMessagePartitions } from "../../../lib/db/messages/partitions.ts";
import { buildIndexes } from "../../../services/indexer/indexer.ts";
import { freePort } from "../../../lib/testing/free_port.ts";
import { initPostgres, isReady, postgresCommand } from "../../testing/postgres.ts";
import { startChild } from "./child.ts";
import type { Server } from "./servers.ts";
import { server } from "./servers.ts";

export type PostgresServer = Server & {
  /** As its superuser. */
  ownerUrl: string;
  /** As the role of the services. */
  appUrl: string;
  /** As the role of the shards. */
  shardsUrl: string;
};

/** PostgreSQL with the current schema. Data survives a kill, but a crash of the machine only with `fsync: "on"`. */
export async function postgresServer(folder: string, settings: Record<string, string> = {}): Promise<PostgresServer> {
  const own = join(folder, "postgres");
  await mkdir(own);
  const [files, port] = await Promise.all([initPostgres(own), freePort()]);
  const ownerUrl = `postgres://test:${files.password}@127.0.0.1:${port}/postgres`;
  const started = server(
    `127.0.0.1:${port}`,
    () =>
      startChild({
        command: postgresCommand(files, port, { fsync: "off", ...settings }),
        logFile: join(folder, "postgres.log"),
      }),
    () => isReady(files, port),
    // An immediate shutdown: a crash that leaves no process of its own behind.
    "SIGQUIT",
  );
  await started.start();
  await prepare(ownerUrl);
  return { ...started, ownerUrl, appUrl: `${ownerUrl}?role=prosaas_app`, shardsUrl: `${ownerUrl}?role=prosaas_shards` };
}

async function prepare(ownerUrl: string): Promise<void> {
  const owner = connectAsOwner({ url: ownerUrl, applicationName: "rig" });
  await applyMigrations(owner);
  await ensureMessagePartitions(owner, { ahead: 0 });
  await owner.end();
  await buildIndexes({ url: ownerUrl });
}
