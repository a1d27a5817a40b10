import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readAlerts } from "../../testing/monitoring/alerts.ts";
import { labCommand, publish } from "../command.ts";
import { endOnSignals } from "../rig/child.ts";
import { faults } from "./alerts/faults.ts";
import { provokeAlerts } from "./alerts/run.ts";
import { setStage } from "./alerts/stage.ts";
import { firesWithinS, judge } from "./alerts/verdict.ts";

const command = labCommand(
  "chaos:alerts",
  `Provoke every alert of nomad/monitoring/rules.yml, and time it.

Starts the platform, a Nomad agent and Prometheus with the files and the pace of its job. Injects a
fault for each alert, repairs it when the alert fires, and waits until the alert clears. Faults that
do not disturb each other are injected together. Alerts on counts that grew clear after the time that
they look back on, so a run takes 20 minutes. Needs root, for a disk that fills.
Exits 1 if an alert has no fault, fires later than ${firesWithinS} s after it, or does not clear.`,
)
  .option("--only <text>", "faults or alerts whose name contains this text", "")
  .option("--fast", "scrape each second and look back on seconds: shows that alerts fire and clear, not when", false);
const values = command.parse().opts();
const { only, fast } = values;

const wanted = only.toLowerCase();
const chosen = faults.filter(({ name, alerts }) =>
  [name, ...alerts.map(({ alert }) => alert)].some((text) => text.toLowerCase().includes(wanted)),
);
if (chosen.length === 0)
  command.error(`error: no fault has "${only}" in its name: ${faults.map(({ name }) => name).join(", ")}`);

const began = performance.now();
const say = (line: string) =>
  void process.stderr.write(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${line}\n`);

const folder = await mkdtemp(join(tmpdir(), "prosaas-alerts-"));
endOnSignals();
const parts = new Set(chosen.flatMap(({ needs }) => needs));
const stage = await setStage({ folder, pace: fast ? "fast" : "production", parts });
try {
  say(`Prometheus watches the platform; ${chosen.length} faults`);
  const waits = { firesWithinMs: 200_000, clearsWithinMs: 1_200_000 };
  const timings = await provokeAlerts(stage, chosen, { say, ...waits });
  const verdict = judge(timings, only === "" ? (await readAlerts()).map(({ alert }) => alert) : []);
  await publish("chaos:alerts", values, verdict);
  process.exitCode = verdict.failed.length + verdict.not_provoked.length > 0 ? 1 : 0;
} finally {
  await stage.stop();
  await rm(folder, { recursive: true, force: true });
}
