import type { Metrics } from "../runtime/metrics.ts";
import type { Router } from "./router.ts";

/** How fresh a process's directory is, and what it holds. */
export function exposeRouter(metrics: Metrics, router: Pick<Router, "directoryAgeMs" | "numShards" | "shards">): void {
  const help = "Since Consul last told of the shards; it is asked for at most 64 s at a time.";
  metrics.gauge("routing_directory_age_seconds", help, [], (gauge) => {
    const ageMs = router.directoryAgeMs();
    // Prometheus knows no age of what never came.
    if (Number.isFinite(ageMs)) gauge.set(ageMs / 1_000);
  });
  metrics.gauge("routing_num_shards", "The number of shards by which businesses are assigned.", [], (gauge) =>
    gauge.set(router.numShards),
  );
  metrics.gauge("routing_known_shards", "Shards whose address is known.", [], (gauge) =>
    gauge.set(router.shards().length),
  );
}
