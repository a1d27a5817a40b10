import type { Check } from "../../runtime/http.ts";
import type { Lifecycle } from "../../runtime/lifecycle.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Metrics } from "../../runtime/metrics.ts";
import { clockDetail, followDatabaseClock } from "./clock.ts";
import type { Database } from "./client.ts";

export type RunningClock = { check: () => Promise<Check> };

/** Compares this machine's clock with the database's: a metric, a warning beyond two seconds, a line in /ready. */
export async function runDatabaseClock(
  db: Database,
  life: Lifecycle,
  logger: Logger,
  metrics: Metrics,
): Promise<RunningClock> {
  const clock = followDatabaseClock({
    db,
    onSkew: ({ skewMs, exceeded }) => {
      if (exceeded) logger.warn({ skew_ms: skewMs }, "this machine's clock differs from the database's");
      else logger.info({ skew_ms: skewMs }, "this machine's clock agrees with the database's again");
    },
  });
  life.onStop("database clock", () => clock.close());
  metrics.gauge(
    "clock_skew_seconds",
    "How far this machine's clock is ahead of the database's; absent until measured.",
    [],
    (gauge) => {
      const skewMs = clock.skewMs();
      if (skewMs === null) gauge.reset();
      else gauge.set(skewMs / 1_000);
    },
  );
  await clock.ready;
  return { check: async () => ({ name: "clock", ok: true, detail: clockDetail(clock.skewMs()) }) };
}
