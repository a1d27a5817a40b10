import type { Manifest } from "./manifest.ts";

/** Backups that are kept whatever their age: a backup that stopped running must not end with none. */
const atLeast = 2;

type Aged = Pick<Manifest, "id" | "consistent_at">;

/** The backups that are older than `keepDays`, except for the newest ones. */
export function expiredBackups<T extends Aged>(backups: readonly T[], keepDays: number, now: Date): T[] {
  const oldest = now.getTime() - keepDays * 86_400_000;
  const byAge = backups.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return byAge
    .slice(0, Math.max(0, byAge.length - atLeast))
    .filter(({ consistent_at }) => Date.parse(consistent_at) < oldest);
}

/** A full backup once a week; those between have what changed since it. */
const fullEveryMs = 7 * 86_400_000;
/** A daily run begins seconds earlier or later than the one a week before. */
const slackMs = 6 * 3_600_000;

export function nextType(lastFull: Date | undefined, now: Date): "full" | "diff" {
  return lastFull !== undefined && now.getTime() - lastFull.getTime() < fullEveryMs - slackMs ? "diff" : "full";
}
