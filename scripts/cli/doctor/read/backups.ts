import { kvGet } from "../../../../lib/consul/client.ts";
import { lastBackupKey, parseLastBackup } from "../../../../services/workers/upkeep/last_backup.ts";
import type { BackupsNow } from "../checks/backups.ts";
import { asOwner } from "./data.ts";
import type { Cluster } from "./cluster.ts";

export async function readBackups(cluster: Cluster): Promise<BackupsNow> {
  const entry = await kvGet(cluster.consul, lastBackupKey);
  const last = entry === null ? null : parseLastBackup(entry.value);
  return asOwner(cluster, async (sql) => {
    const [row] = await sql<[{ archives: boolean; failed: string | null }]>`
      select current_setting('archive_mode') <> 'off' as archives,
             case when last_failed_time > coalesce(last_archived_time, '-infinity') then last_failed_wal end as failed
      from pg_stat_archiver`;
    return { ageMs: last === null ? null : Date.now() - last, ...row };
  });
}
