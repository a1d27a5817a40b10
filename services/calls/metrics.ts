import type { AdmissionOutcome } from "../../lib/calls/capacity.ts";
import type { Metrics } from "../../lib/runtime/metrics.ts";

export type CallMetrics = ReturnType<typeof createCallMetrics>;

export type CallGauges = {
  /** Calls in progress over all replicas. */
  active: () => Promise<number>;
  limit: () => number;
  /** Whether the limit's key is gone from Consul, and the last known limit stays. */
  limitLost: () => boolean;
  /** Streams that this replica carries. */
  streams: () => number;
};

export function createCallMetrics(metrics: Metrics, gauges: CallGauges) {
  metrics.gauge("calls_active", "Calls in progress over all replicas.", [], async (gauge) => {
    // Not to be had: no sample, rather than a wrong one.
    const active = await gauges.active().catch(() => null);
    if (active === null) gauge.reset();
    else gauge.set(active);
  });
  metrics.gauge("calls_limit", "Calls that may be in progress over all replicas.", [], (gauge) =>
    gauge.set(gauges.limit()),
  );
  metrics.gauge(
    "calls_limit_lost",
    "1 while the limit is gone from Consul and the last known one stays: raise an alarm.",
    [],
    (gauge) => gauge.set(gauges.limitLost() ? 1 : 0),
  );
  metrics.gauge("calls_streams", "Media streams that this replica carries.", [], (gauge) =>
    gauge.set(gauges.streams()),
  );

  const admissions = metrics.counter("calls_admissions_total", "Requests for a slot, by what became of them.", [
    "outcome",
  ]);
  const refusals = metrics.counter("calls_webhooks_refused_total", "Webhooks that were not accepted, by why.", [
    "reason",
  ]);
  const streams = metrics.counter("calls_streams_total", "Media streams that ended, by how.", ["end"]);
  const frames = metrics.counter("calls_frames_refused_total", "Frames that were not relayed, by why.", ["reason"]);
  const ends = metrics.counter("calls_ended_total", "Calls that ended, by status.", ["status"]);
  const resumed = metrics.counter("calls_resumed_total", "Streams that took up a call which had broken off.");
  const uncounted = metrics.counter(
    "calls_without_slot_total",
    "Checks at which a carried call had no slot and got none.",
  );
  const redis = metrics.counter(
    "calls_redis_unavailable_total",
    "Requests that failed because Redis was away: raise an alarm.",
  );

  return {
    admission: (outcome: AdmissionOutcome) => admissions.inc({ outcome }),
    webhookRefused: (reason: string) => refusals.inc({ reason }),
    streamEnded: (end: string) => streams.inc({ end }),
    frameRefused: (reason: string) => frames.inc({ reason }),
    ended: (status: string) => ends.inc({ status }),
    resumed: () => resumed.inc(),
    withoutSlot: () => uncounted.inc(),
    redisUnavailable: () => redis.inc(),
  };
}
