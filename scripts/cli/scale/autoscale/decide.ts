/*
 *             the oldest job waits longer than it may,
 *             and the cooldown is over
 *   enough ─────────────────────────────────────────────▶ more: as many as would halve the wait, at most doubled
 *     │
 *     └──── waits are short for calmCooldowns in a row ──▶ one fewer
 */

/** A group of workers as it is now. */
export type GroupView = {
  count: number;
  /** Bounds that the count stays in. */
  min: number;
  max: number;
  /** Age of the job that has waited longest, ms. */
  oldestMs: number;
  /** How long it may wait, ms. */
  waitMs: number;
  /** Between two changes, ms. */
  cooldownMs: number;
  /** How long ago anybody changed the count, ms; null where nobody did. */
  changedMsAgo: number | null;
};

/** What one process knows of a group from before; times as `now` of {@link decide}. Without it, a calm begins anew. */
export type Memory = { changedAt: number | null; calmSince: number | null };

export type Decision = { count: number; reason: string; memory: Memory };

export const noMemory: Memory = { changedAt: null, calmSince: null };

/** Below this part of what it may be, a wait is short. */
const short = 0.25;

/** To take a worker away in vain costs more than to keep it for a while. */
const calmCooldowns = 5;

/** How many workers a group should have. */
export function decide(
  { count, min, max, oldestMs, waitMs, cooldownMs, changedMsAgo }: GroupView,
  memory: Memory,
  now: number,
): Decision {
  const bounded = (wanted: number) => Math.min(max, Math.max(min, wanted));
  const changedAt = Math.max(memory.changedAt ?? -Infinity, changedMsAgo === null ? -Infinity : now - changedMsAgo);
  // What was calm with another count says nothing of this one.
  const calmSince = oldestMs <= waitMs * short ? Math.max(memory.calmSince ?? now, changedAt) : null;
  const stay = (reason: string): Decision => ({ count, reason, memory: { ...memory, calmSince } });
  const change = (to: number, reason: string): Decision => ({
    count: to,
    reason,
    memory: { changedAt: now, calmSince: null },
  });

  if (bounded(count) !== count) return change(bounded(count), "out of its bounds");
  const waits = `the oldest job waits ${Math.round(oldestMs)} ms of ${waitMs}`;
  if (now - changedAt < cooldownMs)
    return stay(`${waits}; cooling down for ${Math.ceil((cooldownMs - now + changedAt) / 1000)} s more`);
  if (oldestMs > waitMs) {
    const more = bounded(Math.max(count + 1, Math.ceil(count * Math.min(2, oldestMs / waitMs))));
    return more === count ? stay(`${waits}, and there are as many as may be`) : change(more, waits);
  }
  if (calmSince !== null && now - calmSince >= calmCooldowns * cooldownMs && count > min) {
    return change(count - 1, "nothing has waited for long for a while");
  }
  return stay(waits);
}
