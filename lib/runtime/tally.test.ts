import { describe, expect, test } from "bun:test";
import { Histogram, Registry } from "prom-client";
import { TallyHistogram } from "./tally.ts";

const configuration = {
  name: "run_seconds",
  help: "Time a run took.",
  buckets: [0.01, 0.1, 1],
  labelNames: ["queue", "job"] as const,
};
const values = [0, 0.01, 0.011, 0.1, 0.5, 1, 1.001, 300];

function both() {
  const [own, theirs] = [new Registry(), new Registry()];
  const tallies = new TallyHistogram({ ...configuration, registers: [own] });
  const histogram = new Histogram({ ...configuration, registers: [theirs] });
  return { own, theirs, tallies, histogram };
}

describe("TallyHistogram", () => {
  test("exports the same text as prom-client's histogram", async () => {
    const { own, theirs, tallies, histogram } = both();
    for (const labels of [
      { queue: "high", job: "send" },
      { queue: "low", job: "move" },
    ]) {
      const series = tallies.series(labels);
      for (const value of values) {
        series.observe(value);
        histogram.observe(labels, value);
      }
    }
    expect(await own.metrics()).toBe(await theirs.metrics());
  });

  test("exports the same JSON", async () => {
    const { tallies, histogram } = both();
    const labels = { queue: "high", job: "send" };
    const series = tallies.series(labels);
    for (const value of values) {
      series.observe(value);
      histogram.observe(labels, value);
    }
    const [own, theirs] = await Promise.all([tallies.get(), histogram.get()]);
    expect(own).toMatchObject({ name: theirs.name, help: theirs.help, type: theirs.type });
    expect(own.values).toEqual(
      theirs.values.map(({ metricName, labels: all, value }) => ({ metricName: metricName!, labels: all, value })),
    );
  });
});
