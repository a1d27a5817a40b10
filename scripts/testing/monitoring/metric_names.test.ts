import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { monitoringFolder, readAlerts } from "./alerts.ts";
import { exportedMetrics, metricsCreatedBy, metricsUsedIn } from "./metric_names.ts";

describe("metric names", () => {
  test("of the alerts are ones that are exported", async () => {
    const exported = await exportedMetrics();
    for (const { alert, expr } of await readAlerts()) {
      const used = metricsUsedIn(expr);
      expect([alert, used.length]).not.toEqual([alert, 0]);
      expect([alert, used.filter((name) => !exported.has(name))]).toEqual([alert, []]);
    }
  });

  test("of the dashboard are ones that are exported", async () => {
    const exported = await exportedMetrics();
    const text = await Bun.file(join(monitoringFolder, "dashboard.json")).text();
    const { panels } = JSON.parse(text) as { panels: { title: string; targets: { expr: string }[] }[] };
    for (const { title, targets } of panels) {
      const used = targets.flatMap(({ expr }) => metricsUsedIn(expr));
      expect([title, used.length]).not.toEqual([title, 0]);
      expect([title, used.filter((name) => !exported.has(name))]).toEqual([title, []]);
    }
  });

  test("are read from expressions", () => {
    const expr = 'max by (queue) (rate(a_total{x="b_total"}[5m])) > 3 or c - time() < 2 unless d offset 5m';
    expect(metricsUsedIn(expr)).toEqual(["a_total", "c", "d"]);
  });

  test("are read from the sources", () => {
    const source =
      'this.#metrics.gauge(\n "a", "help"); metrics.counter("prosaas_b_total"); metrics.tallies("c_seconds"';
    const created = [
      "prosaas_a",
      "prosaas_b_total",
      ...["bucket", "sum", "count"].map((end) => `prosaas_c_seconds_${end}`),
    ];
    expect(metricsCreatedBy(source)).toEqual(created);
  });
});
