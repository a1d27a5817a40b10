import type { AdmissionOutcome } from "../../lib/calls/capacity.ts";
import type { Metrics } from "../../lib/runtime/metrics.ts";

export type CallMetrics = ReturnType<typeof createCallMetrics>;

export type CallGauges = {
  /** Calls in progress over all replicas. */
  active: () => Promise<number>;
  limit: () => number;
  /** True if the limit's key was deleted from Consul and the last known limit stays. */
  limitLost: () => boolean;
  /** Streams that this replica carries. */
  streams: () => number;
};

export function createCallMetrics(metrics: Metrics, gauges: CallGauges) {
  metrics.gauge("calls_active", "Calls in progress over all replicas.", [], async (gauge) => {
    // No sample is better than a wrong one.
    const active = await gauges.active().catch(() => null);
    if (active === null) gauge.reset();
    else gauge.set(active);
  });
  metrics.gauge("calls_limit", "Calls that may be in progress over all replicas.", [], (gauge) =>
    gauge.set(gauges.limit()),
  );
  metrics.gauge(
    "calls_limit_lost",
    "1 while the limit is missing from Consul and the last known one stays: raise an alarm.",
    [],
    (gauge) => gauge.set(gauges.limitLost() ? 1 : 0),
  );
  metrics.gauge("calls_streams", "Media streams that this replica carries.", [], (gauge) =>
    gauge.set(gauges.streams()),
  );

  const admissions = metrics.counter("calls_admissions_total", "Requests for a slot, by outcome.", ["outcome"]);
  const refusals = metrics.counter("calls_webhooks_refused_total", "Refused webhooks, by reason.", ["reason"]);
  const streams = metrics.counter("calls_streams_total", "Ended media streams, by cause.", ["end"]);
  const frames = metrics.counter("calls_frames_refused_total", "Frames that were not relayed, by reason.", ["reason"]);
  const ends = metrics.counter("calls_ended_total", "Calls that ended, by status.", ["status"]);
  const resumed = metrics.counter("calls_resumed_total", "Streams that resumed an interrupted call.");
  const orphaned = metrics.counter(
    "calls_orphaned_total",
    "Redirects of calls whose replica was frozen or unreachable: raise an alarm.",
  );
  const uncounted = metrics.counter(
    "calls_without_slot_total",
    "Renewals at which a carried call had no slot and none was free.",
  );
  const redis = metrics.counter(
    "calls_redis_unavailable_total",
    "Requests that failed because Redis was unavailable: raise an alarm.",
  );

  return {
    admission: (outcome: AdmissionOutcome) => admissions.inc({ outcome }),
    webhookRefused: (reason: string) => refusals.inc({ reason }),
    streamEnded: (end: string) => streams.inc({ end }),
    frameRefused: (reason: string) => frames.inc({ reason }),
    ended: (status: string) => ends.inc({ status }),
    resumed: () => resumed.inc(),
    orphaned: () => orphaned.inc(),
    withoutSlot: () => uncounted.inc(),
    redisUnavailable: () => redis.inc(),
  };
}
