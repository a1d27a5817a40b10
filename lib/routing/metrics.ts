import type { Metrics } from "../runtime/metrics.ts";
import type { Router } from "./router.ts";

/** Exports the age and the contents of a process's directory. */
export function exposeRouter(metrics: Metrics, router: Pick<Router, "directoryAgeMs" | "numShards" | "shards">): void {
  const help = "Seconds since Consul last reported the shards. A blocking query takes at most 64 s.";
  metrics.gauge("routing_directory_age_seconds", help, [], (gauge) => {
    const ageMs = router.directoryAgeMs();
    // Before the first answer the age is Infinity: leave the gauge out.
    if (Number.isFinite(ageMs)) gauge.set(ageMs / 1_000);
  });
  metrics.gauge("routing_num_shards", "Number of shards that new businesses are assigned to.", [], (gauge) =>
    gauge.set(router.numShards),
  );
  metrics.gauge("routing_known_shards", "Number of shards with a known address.", [], (gauge) =>
    gauge.set(router.shards().length),
  );
}
