import { duration, error, warning } from "../finding.ts";
import type { Fault } from "../finding.ts";

export type BackupsNow = {
  /** Null if there never was a backup. */
  ageMs: number | null;
  /** True if Postgres archives its log. */
  archives: boolean;
  /** The segment of the log whose archiving failed last, unless one was archived since. */
  failed: string | null;
};

/** Backups are daily, as in the alert BackupTooOld. */
const oldMs = 26 * 3_600_000;

/** A cluster that has never been backed up and archives nothing is one for development. */
export function judgeBackups({ ageMs, archives, failed }: BackupsNow): Fault[] {
  const faults: Fault[] = [];
  if (failed !== null)
    faults.push(
      error(`Postgres cannot archive its log (${failed}), which fills its disk.`, "See: task logs -- postgres"),
    );
  if (ageMs === null && archives) faults.push(warning("There is no backup.", "Make one: task backup"));
  if (ageMs !== null && ageMs > oldMs)
    faults.push(error(`The last backup is ${duration(ageMs)} old.`, "Make one: task backup; then look at its timer."));
  return faults;
}
