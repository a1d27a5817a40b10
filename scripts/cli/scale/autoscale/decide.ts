/*
 *             the oldest job exceeds its wait limit,
 *             and the cooldown is over
 *   steady ─────────────────────────────────────────────▶ more workers, in proportion to the wait, at most doubled
 *     │
 *     └──── waits stay short for calmCooldowns ──────────▶ one worker fewer
 */

/** The current state of a group of workers. */
export type GroupView = {
  count: number;
  /** Bounds of the count. */
  min: number;
  max: number;
  /** Wait of the oldest job, ms. */
  oldestMs: number;
  /** Wait limit, ms. */
  waitMs: number;
  /** Least time between two changes, ms. */
  cooldownMs: number;
  /** Time since the last change by any command, ms; null if there was none. */
  changedMsAgo: number | null;
};

/** A process's memory of a group, in times of {@link decide}'s `now`. */
export type Memory = { changedAt: number | null; calmSince: number | null };

export type Decision = { count: number; reason: string; memory: Memory };

export const noMemory: Memory = { changedAt: null, calmSince: null };

/** Part of the wait limit below which a wait is short. */
const short = 0.25;

/** Cooldowns of calm before a worker is removed: removing one too early costs more than keeping it. */
const calmCooldowns = 5;

/** Decides how many workers a group should have. */
export function decide(
  { count, min, max, oldestMs, waitMs, cooldownMs, changedMsAgo }: GroupView,
  memory: Memory,
  now: number,
): Decision {
  const bounded = (wanted: number) => Math.min(max, Math.max(min, wanted));
  const changedAt = Math.max(memory.changedAt ?? -Infinity, changedMsAgo === null ? -Infinity : now - changedMsAgo);
  // Calm with another count does not count.
  const calmSince = oldestMs <= waitMs * short ? Math.max(memory.calmSince ?? now, changedAt) : null;
  const stay = (reason: string): Decision => ({ count, reason, memory: { ...memory, calmSince } });
  const change = (to: number, reason: string): Decision => ({
    count: to,
    reason,
    memory: { changedAt: now, calmSince: null },
  });

  if (bounded(count) !== count) return change(bounded(count), "outside its bounds");
  const waits = `the oldest job waits ${Math.round(oldestMs)} ms of ${waitMs}`;
  if (now - changedAt < cooldownMs)
    return stay(`${waits}; cooling down for ${Math.ceil((cooldownMs - now + changedAt) / 1000)} s more`);
  if (oldestMs > waitMs) {
    const more = bounded(Math.max(count + 1, Math.ceil(count * Math.min(2, oldestMs / waitMs))));
    return more === count ? stay(`${waits}, at the maximum`) : change(more, waits);
  }
  if (calmSince !== null && now - calmSince >= calmCooldowns * cooldownMs && count > min) {
    return change(count - 1, "waits have been short for a while");
  }
  return stay(waits);
}
