import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Metric } from "prom-client";
import { watchEventLoop } from "./event_loop.ts";
import { TallyHistogram } from "./tally.ts";

/** Seconds: from a local Redis round trip to the longest time for which a caller waits. */
export const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

const full = (name: string) => (name.startsWith("prosaas_") ? name : `prosaas_${name}`);

/** One for the process. Each scrape takes the maximum since the previous scrape. */
let eventLoop: ReturnType<typeof watchEventLoop> | undefined;

/** Metrics of the process itself. Every registry shares them: to create them Bun walks the whole heap. */
let processMetrics: Metric[] | undefined;

function createProcessMetrics(): Metric[] {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // Bun walks the whole heap for these gauges: 130 ms with 100 MB of objects, at each scrape.
  for (const size of ["total", "used", "available"])
    registry.removeSingleMetric(`nodejs_heap_space_size_${size}_bytes`);
  // prom-client declares descriptions but returns the metrics themselves.
  return registry.getMetricsAsArray() as unknown as Metric[];
}

/** Creates the metrics of one process in a registry of its own, so that a test can create several. */
export function createMetrics(service: string) {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  for (const metric of (processMetrics ??= createProcessMetrics())) registry.registerMetric(metric);
  const watch = (eventLoop ??= watchEventLoop());
  const lag: Gauge = new Gauge({
    name: full("event_loop_lag_seconds"),
    help: "Latest timer since the last scrape.",
    registers: [registry],
    // Sets both gauges from one sample, because a registry collects in the order of registration.
    collect: () => {
      const { lagMs, blockMs } = watch.take();
      lag.set(lagMs / 1000);
      block.set(blockMs / 1000);
    },
  });
  const block = new Gauge({
    name: full("event_loop_block_seconds"),
    help: "Longest turn of the event loop since the last scrape, by CPU time of its thread.",
    registers: [registry],
  });
  return {
    registry,
    counter: <L extends string = never>(
      name: string,
      help: string,
      labels: readonly L[] = [],
      /** Called at each scrape after a reset to zero, for counts that are kept elsewhere. */
      collect?: (counter: Counter<L>) => void,
    ): Counter<L> => {
      const counter: Counter<L> = new Counter<L>({
        name: full(name),
        help,
        labelNames: [...labels],
        registers: [registry],
        ...(collect ? { collect: () => (counter.reset(), collect(counter)) } : {}),
      });
      return counter;
    },
    gauge: <L extends string = never>(
      name: string,
      help: string,
      labels: readonly L[] = [],
      /** Called at each scrape to set the value. */
      collect?: (gauge: Gauge<L>) => void | Promise<void>,
    ): Gauge<L> => {
      const gauge: Gauge<L> = new Gauge<L>({
        name: full(name),
        help,
        labelNames: [...labels],
        registers: [registry],
        ...(collect ? { collect: () => collect(gauge) } : {}),
      });
      return gauge;
    },
    histogram: <L extends string = never>(
      name: string,
      help: string,
      buckets: readonly number[] = durationBuckets,
      labels: readonly L[] = [],
    ) =>
      new Histogram<L>({
        name: full(name),
        help,
        labelNames: [...labels],
        buckets: [...buckets],
        registers: [registry],
      }),
    /** A histogram whose callers keep its series (see {@link TallyHistogram}). */
    tallies: <L extends string = never>(name: string, help: string, buckets: readonly number[], labels: readonly L[]) =>
      new TallyHistogram<L>({
        name: full(name),
        help,
        labelNames: [...labels],
        buckets: [...buckets],
        registers: [registry],
      }),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
