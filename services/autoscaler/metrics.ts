import type { Gauge } from "prom-client";
import type { Metrics } from "../../lib/runtime/metrics.ts";

export type AutoscalerMetrics = ReturnType<typeof createAutoscalerMetrics>;

export type GroupGauges = {
  count: number;
  wanted: number;
  isHeld: boolean;
  /** When its load was known last, and when its count was last the wanted one; `performance.now()`. */
  decidedAt: number;
  appliedAt: number;
};

const secondsSince = (at: number) => (performance.now() - at) / 1000;

export function createAutoscalerMetrics(metrics: Metrics) {
  let isActive = false;
  /** Of the active autoscaler only: what a standby once knew is no state of the cluster. */
  const groups = new Map<string, GroupGauges>();
  metrics.gauge("autoscaler_active", "1 for the active autoscaler, 0 for the standby.", [], (gauge) =>
    gauge.set(isActive ? 1 : 0),
  );
  const each = (valueOf: (group: GroupGauges) => number) => (gauge: Gauge<"group">) => {
    gauge.reset();
    for (const [group, gauges] of groups) gauge.set({ group }, valueOf(gauges));
  };
  const labels = ["group"] as const;
  metrics.gauge(
    "autoscaler_count",
    "Replicas that a group should have now.",
    labels,
    each(({ count }) => count),
  );
  metrics.gauge(
    "autoscaler_wanted",
    "Replicas that the autoscaler decided on.",
    labels,
    each(({ wanted }) => wanted),
  );
  metrics.gauge(
    "autoscaler_held",
    "1 while a count that somebody else set is left alone.",
    labels,
    each(({ isHeld }) => (isHeld ? 1 : 0)),
  );
  metrics.gauge(
    "autoscaler_undecided_seconds",
    "Time since the load of a group was known.",
    labels,
    each(({ decidedAt }) => secondsSince(decidedAt)),
  );
  metrics.gauge(
    "autoscaler_unapplied_seconds",
    "Time for which the count has differed from the wanted one.",
    labels,
    each(({ appliedAt }) => secondsSince(appliedAt)),
  );
  const rounds = metrics.counter("autoscaler_rounds_total", "Rounds of the active autoscaler.");
  const changes = metrics.counter("autoscaler_changes_total", "Changes of a count.", ["group", "direction"]);
  const failures = metrics.counter("autoscaler_failures_total", "Rounds in which a job could not be scaled.", ["job"]);

  return {
    active: (active: boolean) => {
      isActive = active;
      if (!active) groups.clear();
    },
    group: (name: string) => groups.get(name),
    set: (name: string, gauges: GroupGauges) => void groups.set(name, gauges),
    keepOnly: (names: ReadonlySet<string>) => {
      for (const name of groups.keys()) if (!names.has(name)) groups.delete(name);
    },
    looked: () => rounds.inc(),
    changed: (group: string, direction: "up" | "down") => changes.inc({ group, direction }),
    failed: (job: string) => failures.inc({ job }),
  };
}
