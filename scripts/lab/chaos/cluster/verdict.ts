/** The figures of a run by their names in its output. */
export type Result = Readonly<Record<string, number | boolean | object>>;

/** Counts of every run that must be 0. */
const zeroes = [
  "lost",
  "duplicates",
  "reordered",
  "qr_scans",
  "two_owners",
  "failed_requests",
  "calls_lost",
  "calls_refused",
] as const;

/** Figures of single steps and their limits. */
const limits: Readonly<Record<string, number>> = {
  drain_failed_requests: 0,
  servers_lost_faults: 0,
  // A shard of a lost node is open elsewhere within this many seconds.
  node_lost_restore_s_max: 60,
  leader_lost_s_max: 10,
};

/** Describes each figure of a run that is a fault, and each that is missing. */
export function faultsOf(result: Result): string[] {
  const faults: string[] = [];
  for (const key of zeroes) if (result[key] !== 0) faults.push(`${key} is ${JSON.stringify(result[key])}`);
  for (const [key, value] of Object.entries(result)) {
    const limit = key.endsWith("_restarts") ? 0 : limits[key];
    if (limit !== undefined && !(Number(value) <= limit))
      faults.push(`${key} is ${JSON.stringify(value)}, over ${limit}`);
  }
  if (result["placement_ok"] === false) faults.push("placement_ok is false");
  for (const [step, reason] of Object.entries(result["failed_steps"] ?? {})) faults.push(`${step}: ${String(reason)}`);
  if (!(Number(result["messages"]) > 0)) faults.push("no message was written");
  return faults;
}
