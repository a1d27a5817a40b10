import type { Timing } from "./run.ts";

/** Seconds within which an alert has to fire after its fault. */
export const firesWithinS = 120;

export type Verdict = {
  alerts: number;
  fired: number;
  cleared: number;
  fired_s_max: number | null;
  cleared_s_max: number | null;
  /** Alerts of rules.yml without a fault in this run. */
  not_provoked: string[];
  /** Those that fired late, or never fired or cleared. */
  failed: string[];
  by_alert: Record<string, { fired_s: number | null; cleared_s: number | null }>;
};

const largest = (values: readonly (number | null)[]): number | null =>
  values.every((value) => value === null) ? null : Math.max(...values.map((value) => value ?? 0));

/** Judges the timings of a run: each alert has to fire in time and to clear. */
export function judge(timings: readonly Timing[], alerts: readonly string[]): Verdict {
  const provoked = new Set(timings.map(({ alert }) => alert));
  const fails = ({ firedS, clearedS }: Timing) => firedS === null || firedS > firesWithinS || clearedS === null;
  return {
    alerts: timings.length,
    fired: timings.filter(({ firedS }) => firedS !== null).length,
    cleared: timings.filter(({ clearedS }) => clearedS !== null).length,
    fired_s_max: largest(timings.map(({ firedS }) => firedS)),
    cleared_s_max: largest(timings.map(({ clearedS }) => clearedS)),
    not_provoked: alerts.filter((alert) => !provoked.has(alert)),
    failed: timings.filter(fails).map(({ alert }) => alert),
    by_alert: Object.fromEntries(
      timings.map(({ alert, firedS, clearedS }) => [alert, { fired_s: firedS, cleared_s: clearedS }]),
    ),
  };
}
