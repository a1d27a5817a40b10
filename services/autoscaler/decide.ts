import type { Hold } from "../../lib/scaling/index.ts";
import type { Pressure } from "./pressure.ts";

/*
 *            a load exceeds its target,
 *            and the cooldown is over
 *   steady ──────────────────────────────▶ as many as the load needs, at most doubled
 *     │  ▲
 *     │  └── held: somebody else set the count
 *     │
 *     └───── every load is low for `calm`, all replicas answer and none drains ──────▶ one replica fewer
 */

/** The current state of a group. Times in ms. */
export type GroupView = {
  count: number;
  /** Bounds of the count for the autoscaler. */
  min: number;
  max: number;
  cooldownMs: number;
  calmMs: number;
  /** Time since the last change by anybody; null if there was none. */
  changedMsAgo: number | null;
  hold: Hold | null;
  pressures: readonly Pressure[];
  /** Replicas that run and those that reported their load. */
  running: number;
  answered: number;
  /** Replicas that still run after their stop: calls go on for up to ten minutes. */
  draining: number;
};

/** A process's memory of a group, in times of {@link decide}'s `now`. */
export type Memory = { calmSince: number | null };

export type Decision = { count: number; reason: string; memory: Memory };

export const noMemory: Memory = { calmSince: null };

/** Decides how many replicas a group should have. Without a pressure there is nothing to decide: the count stays. */
export function decide(group: GroupView, memory: Memory, now: number): Decision {
  const { count, min, max, cooldownMs, calmMs, changedMsAgo, hold, pressures } = group;
  const highest = pressures.toSorted((a, b) => b.needed - a.needed || b.load - a.load)[0];
  const load = highest?.description ?? "no replica reports its load";
  const changedAt = changedMsAgo === null ? Number.NEGATIVE_INFINITY : now - changedMsAgo;
  const isCalm = highest !== undefined && pressures.every((one) => one.isCalm);
  // Calm with another count does not count.
  const calmSince = isCalm ? Math.max(memory.calmSince ?? now, changedAt) : null;
  const stay = (reason: string): Decision => ({ count, reason, memory: { calmSince } });
  const change = (to: number, reason: string): Decision => ({ count: to, reason, memory: noMemory });

  if (hold !== null) return stay(`${load}; held at ${hold.count} until ${new Date(hold.untilMs).toISOString()}`);
  const bounded = Math.min(max, Math.max(min, count));
  if (bounded !== count) return change(bounded, `outside its bounds of ${min} to ${max}`);
  if (highest === undefined) return stay(load);
  const coolingMs = cooldownMs - (now - changedAt);
  if (coolingMs > 0) return stay(`${load}; cooling down for ${Math.ceil(coolingMs / 1000)} s more`);
  if (highest.load > 1 && highest.needed > count) {
    const to = Math.min(max, highest.needed, count * 2);
    return to === count ? stay(`${load}; at the maximum`) : change(to, load);
  }
  if (calmSince === null || count === min) return stay(load);
  const calmForMs = now - calmSince;
  if (calmForMs < calmMs) return stay(`${load}; calm for ${Math.floor(calmForMs / 1000)} s of ${calmMs / 1000}`);
  if (group.draining > 0) return stay(`${load}; ${group.draining} removed before still drain`);
  if (group.answered < Math.max(group.running, count))
    return stay(`${load}; only ${group.answered} of ${Math.max(group.running, count)} report their load`);
  return change(count - 1, `${load}, for ${Math.floor(calmForMs / 1000)} s`);
}
