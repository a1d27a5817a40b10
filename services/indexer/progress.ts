import { sleep } from "../../lib/core/time.ts";
import { connectAsOwner } from "../../lib/db/client/owner.ts";

export type BuildProgress = { index: string; phase: string; percent: number | null };

/**
 * Reports how far a build of the session with `applicationName` is, every `everyMs`, until `signal` aborts; on a
 * connection of its own, because the building one is busy. A report that cannot be had is left out.
 */
export async function reportProgress(
  url: string,
  applicationName: string,
  report: (progress: BuildProgress) => void,
  signal: AbortSignal,
  everyMs = 5_000,
): Promise<void> {
  const sql = connectAsOwner({ url, applicationName: `${applicationName}-progress` });
  try {
    for (;;) {
      await sleep(everyMs, signal);
      const rows = await sql<BuildProgress[]>`
        select p.index_relid::regclass::text as index, p.phase,
               round(100.0 * p.blocks_done / nullif(p.blocks_total, 0))::integer as percent
        from pg_stat_progress_create_index p join pg_stat_activity a using (pid)
        where a.application_name = ${applicationName} and a.datname = current_database()`.catch(() => []);
      for (const row of rows) report({ ...row });
    }
  } catch {
    // Aborted: the build is over.
  } finally {
    await sql.end({ timeout: 1 });
  }
}
