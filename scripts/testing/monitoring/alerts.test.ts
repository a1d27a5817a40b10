import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "../../stack/program.ts";
import { root } from "../../stack/environment.ts";
import { calm, faults, monitoringFolder, readAlerts } from "./alerts.ts";
import type { Fault } from "./alerts.ts";

const alerts = await readAlerts();
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-alerts-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Has promtool evaluate the rules over the samples, and compare the firing alert at each minute. */
async function evaluate(
  { alert, series }: Pick<Fault, "alert" | "series">,
  firing: readonly { minute: number; labels: Record<string, string> | null }[],
): Promise<void> {
  const { labels: own } = alerts.find((one) => one.alert === alert)!;
  const sample = (labels: Record<string, string>) => {
    const all = { alertname: alert, alertstate: "firing", ...own, ...labels };
    return `ALERTS{${Object.entries(all)
      .map(([name, value]) => `${name}="${value}"`)
      .join(", ")}}`;
  };
  const file = join(folder, `${crypto.randomUUID()}.json`);
  const group = {
    interval: "15s",
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    promql_expr_test: firing.map(({ minute, labels }) => ({
      expr: `ALERTS{alertname="${alert}", alertstate="firing"}`,
      eval_time: `${minute}m`,
      exp_samples: labels === null ? [] : [{ labels: sample(labels), value: 1 }],
    })),
  };
  const rules = join(monitoringFolder, "rules.yml");
  await Bun.write(file, JSON.stringify({ rule_files: [rules], evaluation_interval: "15s", tests: [group] }));
  const { code, stdout, stderr } = await runProgram(["promtool", "test", "rules", file], { cwd: root });
  expect({ code, output: code === 0 ? "" : stdout + stderr }).toEqual({ code: 0, output: "" });
}

describe("alerts", () => {
  test.each(faults)("$alert fires within two minutes of $name", async (fault) => {
    await evaluate(fault, [
      { minute: 4, labels: null },
      { minute: 7, labels: fault.labels },
      { minute: fault.clearsAt, labels: null },
    ]);
  });

  test.each(calm)("$alert ignores $name", async (state) => {
    await evaluate(
      state,
      [4, 6, 8, 12].map((minute) => ({ minute, labels: null })),
    );
  });

  test("are each provoked", () => {
    expect(new Set(faults.map(({ alert }) => alert))).toEqual(new Set(alerts.map(({ alert }) => alert)));
  });

  test("describe themselves by labels that they have", () => {
    for (const { alert, labels, annotations } of alerts) {
      const used = [...JSON.stringify(annotations).matchAll(/\$labels\.(\w+)/g)].map(([, name]) => name!);
      const own = faults.filter((fault) => fault.alert === alert);
      const had = new Set(own.flatMap((fault) => Object.keys(fault.labels)));
      expect([alert, used.filter((name) => !had.has(name))]).toEqual([alert, []]);
      expect([alert, labels["severity"]]).toEqual([alert, expect.stringMatching(/^(critical|warning)$/)]);
    }
  });

  test("have a runbook of commands that exist", async () => {
    const { tasks } = Bun.YAML.parse(await Bun.file(join(root, "Taskfile.yml")).text()) as { tasks: object };
    for (const { alert, annotations } of alerts) {
      expect([alert, annotations.runbook]).toEqual([alert, expect.stringContaining("`")]);
      const named = [...annotations.runbook.matchAll(/`task ([\w:]+)/g)].map(([, name]) => name!);
      expect([alert, named.filter((name) => !(name in tasks))]).toEqual([alert, []]);
    }
  });
});
