import { z } from "zod";
import { followValue } from "../../../lib/consul/live_value.ts";
import type { LiveValueOptions } from "../../../lib/consul/live_value.ts";
import type { Metrics } from "../../../lib/runtime/metrics.ts";

/** The Consul key in which `task backup` records the last backup (scripts/cli/backup). */
export const lastBackupKey = "prosaas/backup/last";

const record = z.object({ at: z.iso.datetime() });

/** Parses the moment of the last backup, in milliseconds; null for any other text. */
export function parseLastBackup(text: string): number | null {
  try {
    return Date.parse(record.parse(JSON.parse(text)).at);
  } catch {
    return null;
  }
}

/** Exports the age of the last backup. A cluster that has never made one exports nothing. */
export function exposeLastBackup(
  metrics: Metrics,
  options: Pick<LiveValueOptions<number | undefined>, "consul" | "signal" | "onError">,
): void {
  const last = followValue<number | undefined>({
    ...options,
    key: lastBackupKey,
    first: undefined,
    parse: parseLastBackup,
  });
  metrics.gauge("backup_age_seconds", "Seconds since the moment that the last backup restores.", [], (gauge) => {
    const at = last.current();
    if (at !== undefined) gauge.set((Date.now() - at) / 1_000);
  });
}
