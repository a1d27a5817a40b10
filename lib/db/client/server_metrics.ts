import type { Gauge } from "prom-client";
import type { Metrics } from "../../runtime/metrics.ts";
import { forNobody } from "../scope.ts";
import type { Database } from "./client.ts";
import { sql } from "./literal.ts";

/*
 * Faults of the primary that fail no statement until its disk or its connections are used up. Of what Debian's exporter
 * for Postgres reports, this is what an operator acts on; it takes no further process and no further role.
 */

type Readings = {
  /** Write-ahead log that a replication slot holds, as a share of max_wal_size. */
  held: number;
  archiving: boolean;
  connections: number;
};

const statement = sql`
  select
    (coalesce(
      (select max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) from pg_replication_slots), 0
    ) / pg_size_bytes(current_setting('max_wal_size')))::float8 as held,
    (select last_failed_time is null or last_archived_time > last_failed_time from pg_stat_archiver) is true
      as archiving,
    ((select sum(numbackends) from pg_stat_database)
      / current_setting('max_connections')::float8)::float8 as connections`;

/** Exports the readings; each scrape asks the server once. While it is unavailable there are no samples. */
export function exposeServer(db: Database, metrics: Metrics): void {
  let reading: Promise<Readings | undefined> | undefined;
  const read = () =>
    (reading ??= forNobody(db)
      .ask<Readings[]>(statement)
      .then(([row]) => row)
      .catch(() => undefined)
      .finally(() => (reading = undefined)));
  const set = (valueOf: (readings: Readings) => number) => async (gauge: Gauge) => {
    const readings = await read();
    if (readings === undefined) gauge.reset();
    else gauge.set(valueOf(readings));
  };
  const held = "WAL that a replication slot holds, as a share of max_wal_size.";
  metrics.gauge(
    "database_wal_held_ratio",
    held,
    [],
    set((readings) => readings.held),
  );
  const archiving = "1 if the last segment of the WAL could not be archived.";
  metrics.gauge(
    "database_archive_failing",
    archiving,
    [],
    set((readings) => (readings.archiving ? 0 : 1)),
  );
  const connections = "Connections to the primary, as a share of max_connections.";
  metrics.gauge(
    "database_connections_ratio",
    connections,
    [],
    set((readings) => readings.connections),
  );
}
