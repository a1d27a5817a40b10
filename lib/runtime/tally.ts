import { Histogram } from "prom-client";
import type { HistogramConfiguration, LabelValues } from "prom-client";

/** One series of a histogram. Observing a value finds its bucket and increments it. */
export class Tally {
  readonly #bounds: readonly number[];
  /** Count of each bucket, not cumulative. The last bucket counts values above all bounds. */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.#bounds.length && value > this.#bounds[bucket]!) bucket += 1;
    this.counts[bucket]! += 1;
    this.sum += value;
  }
}

/**
 * A histogram for observations that occur thousands of times a second. The caller creates a series once and keeps it,
 * so that labels cost time only at a scrape. prom-client's own histogram builds and looks up the labels at every
 * observation: 6 µs for an empty job, of which bare BullMQ needs 40 µs in all.
 */
export class TallyHistogram<L extends string> extends Histogram<L> {
  readonly #configuration: HistogramConfiguration<L> & { buckets: number[] };
  readonly #series: { labels: LabelValues<L>; tally: Tally }[] = [];

  constructor(configuration: HistogramConfiguration<L> & { buckets: number[] }) {
    super(configuration);
    this.#configuration = configuration;
  }

  /** Creates a series. Call it once for each set of labels. */
  series(labels: LabelValues<L>): Tally {
    const tally = new Tally(this.#configuration.buckets);
    this.#series.push({ labels, tally });
    return tally;
  }

  /** Overrides the method from which prom-client renders both text and JSON, to export the tallies. */
  getForPromString() {
    const { name, help } = this.#configuration;
    return {
      name,
      help,
      type: "histogram",
      aggregator: "sum",
      values: this.#series.flatMap((series) => this.#samples(series)),
    };
  }

  #samples({ labels: sharedLabels, tally: { counts, sum } }: { labels: LabelValues<L>; tally: Tally }) {
    const { name, buckets } = this.#configuration;
    let count = 0;
    const sample = (suffix: string, labels: object, value: number) => ({
      metricName: `${name}_${suffix}`,
      labels,
      sharedLabels,
      value,
    });
    return [
      ...[...buckets, "+Inf"].map((le, bucket) => sample("bucket", { le }, (count += counts[bucket]!))),
      sample("sum", {}, sum),
      sample("count", {}, count),
    ];
  }
}
