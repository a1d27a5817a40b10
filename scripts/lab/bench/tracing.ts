import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { wholeNumber } from "../../cli/arguments.ts";
import { labCommand, publish, say } from "../command.ts";
import { rounded } from "../figures.ts";
import { endOnSignals } from "../rig/child.ts";
import { measureTracing } from "./tracing/measure.ts";

const values = labCommand(
  "bench:tracing",
  `Measure what tracing costs a message: the CPU time of API, worker, shard, Postgres, pgbouncer and
Redis from the API to the delivery of its receipt to a webhook. Four platforms side by side get the
same messages in turns: without a collector, again without one (the error of the measurement), with
the default sampling, and with every message sampled. Starts every server it needs and stops all.`,
)
  .option("--messages <n>", "messages of a round", wholeNumber(), 1_500)
  .option("--rounds <n>", "rounds, after one that warms up", wholeNumber(), 12)
  .option("--businesses <n>", "businesses of each platform", wholeNumber(), 20)
  .parse()
  .opts();

endOnSignals();
const folder = await mkdtemp(join(tmpdir(), "prosaas-bench-"));
try {
  const { cpuMs, ratios, spans } = await measureTracing({ ...values, folder, say });
  const percent = (ratio: number) => rounded((ratio - 1) * 100, 1);
  await publish("bench:tracing", values, {
    messages: values.messages * values.rounds,
    off_cpu_ms_per_msg: rounded(cpuMs.off, 3),
    default_cpu_ms_per_msg: rounded(cpuMs.default, 3),
    all_cpu_ms_per_msg: rounded(cpuMs.all, 3),
    default_cost_percent: percent(ratios.default),
    all_cost_percent: percent(ratios.all),
    error_percent: percent(ratios.also_off),
    default_spans: spans.default,
    spans_per_sampled_msg: rounded(spans.all / (values.messages * (values.rounds + 1)), 1),
  });
} finally {
  await rm(folder, { recursive: true, force: true });
}
