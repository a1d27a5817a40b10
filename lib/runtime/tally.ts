import { Histogram } from "prom-client";
import type { HistogramConfiguration, LabelValues } from "prom-client";

/** One series of a histogram: to observe is to find a bucket and add to it. */
export class Tally {
  readonly #bounds: readonly number[];
  /** By bucket, each without what is below it; the last one is for what is above all bounds. */
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
 * A histogram of what happens thousands of times a second: whoever observes keeps the series, and labels matter at a
 * scrape only. prom-client's own puts the labels together and looks them up at every observation; for an empty job's
 * that took 6 µs, where bare BullMQ is through with all of it in 40.
 */
export class TallyHistogram<L extends string> extends Histogram<L> {
  readonly #configuration: HistogramConfiguration<L> & { buckets: number[] };
  readonly #series: { labels: LabelValues<L>; tally: Tally }[] = [];

  constructor(configuration: HistogramConfiguration<L> & { buckets: number[] }) {
    super(configuration);
    this.#configuration = configuration;
  }

  /** A new series, to be made once for its labels. */
  series(labels: LabelValues<L>): Tally {
    const tally = new Tally(this.#configuration.buckets);
    this.#series.push({ labels, tally });
    return tally;
  }

  /** What prom-client makes both of its forms of, text and JSON; its own reads the observations that it was given itself. */
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
