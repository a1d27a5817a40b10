import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Option } from "@commander-js/extra-typings";
import { quantile } from "../../cli/operator/table.ts";
import { wholeNumber } from "../../cli/arguments.ts";
import { keepMeasured } from "../../cli/capacity/measured.ts";
import { labCommand, publish, say } from "../command.ts";
import { rounded } from "../figures.ts";
import { endOnSignals } from "../rig/child.ts";
import { makeBusinesses } from "../rig/pairing.ts";
import { startControlPlane } from "./cluster/control_plane.ts";
import type { ControlPlane } from "./cluster/control_plane.ts";
import { answerKb, timeChanges, timeRestarts } from "./cluster/convergence.ts";
import { availableMb, refusalOf } from "./cluster/memory.ts";
import { measureMoves } from "./cluster/moves.ts";
import { measureRebalancePlan } from "./cluster/rebalance.ts";
import { measureSessions } from "./cluster/sessions.ts";
import { exceeded } from "./cluster/verdict.ts";

const parts = ["directory", "moves", "rebalance", "sessions"] as const;
const values = labCommand(
  "bench:cluster",
  `Measure the control plane of a large cluster in four parts, and many sessions on one machine.

directory: how soon every process knows a change, with most shards in Consul only. moves: businesses
between two real shards, while the directory changes. rebalance: the plan of task rebalance.
sessions: real sessions on real shards, all open, killed at once, a message from each. Exits with 1
if a figure is beyond its limit, and before the start if the memory does not suffice.`,
)
  .option("--registered <n>", "shards in Consul; two of them are processes", wholeNumber(25, 4_000), 1_000)
  .option("--processes <n>", "processes that keep a directory", wholeNumber(1, 50), 4)
  .option("--changes <n>", "changes of the directory, one after the other", wholeNumber(4), 200)
  .option("--restarts <n>", "restarts of the Consul agent", wholeNumber(1), 2)
  .option("--moves <n>", "moves, as fast as they go", wholeNumber(), 200)
  .option("--businesses <n>", "businesses in Postgres for the plan", wholeNumber(), 100_000)
  .option("--sessions <n>", "WhatsApp sessions", wholeNumber(2, 50_000), 10_000)
  .option("--shards <n>", "real shards with these sessions", wholeNumber(1, 200), 20)
  .option("--keep", "save the figures for task capacity (scripts/cli/capacity/measured.json)", false)
  .addOption(new Option("--only <part>", "run one part").choices(parts))
  .parse()
  .opts();

/** Businesses that move: more than the workers move at once. */
const movers = 12;

const wants = (part: (typeof parts)[number]) => values.only === undefined || values.only === part;

const sessionsPlan = { shards: values.shards, sessions: values.sessions };
const refusal = wants("sessions") ? refusalOf(sessionsPlan, availableMb()) : undefined;
if (refusal !== undefined) {
  console.error(refusal);
  process.exit(1);
}

endOnSignals();
const figures: Record<string, number> = {};
if (wants("directory") || wants("moves") || wants("rebalance")) await inFolder(measureControlPlane);
if (wants("sessions")) await inFolder(measureManySessions);
await publish("bench:cluster", values, figures);
if (values.keep) await keep();
const faults = exceeded(figures);
for (const fault of faults) say(fault);
process.exit(faults.length > 0 ? 1 : 0);

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "prosaas-bench-"));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Saves the figures that `task capacity` uses. */
async function keep(): Promise<void> {
  const figure = (name: string): number => {
    const value = figures[name];
    if (value === undefined) throw new Error(`--keep needs ${name}: run the part moves`);
    return value;
  };
  await keepMeasured("cluster", {
    shards_registered: figure("shards_registered"),
    directory_answer_kb: figure("directory_answer_kb"),
    moves_per_minute: figure("moves_per_minute"),
  });
}

/** Adds to a count of a figure that several parts have. */
function add(name: string, count: number): void {
  figures[name] = (figures[name] ?? 0) + count;
}

async function measureControlPlane(folder: string): Promise<void> {
  const plane = await startControlPlane({ folder, shards: values.registered, processes: values.processes });
  try {
    figures["shards_registered"] = values.registered;
    figures["directory_processes"] = values.processes;
    figures["directory_answer_kb"] = Math.round(await answerKb(plane.consul));
    figures["directory_mb"] = rounded(Math.max(...plane.changing.subscribers.bytes) / 2 ** 20);
    say(`${values.registered} shards in ${values.processes} directories of ${figures["directory_mb"]} MB at most`);
    const converged: number[] = [];
    if (wants("directory")) converged.push(...(await timeChanges(plane.changing, (made) => made >= values.changes)));
    if (wants("moves")) converged.push(...(await measureMovesOf(plane)));
    if (wants("rebalance")) {
      const plan = await measureRebalancePlan(plane, { businesses: values.businesses, shards: values.registered });
      figures["rebalance_businesses"] = values.businesses;
      figures["rebalance_plan_s"] = rounded(plan.seconds);
      say(`a plan of ${plan.planned} moves for ${values.businesses} businesses: ${plan.seconds.toFixed(2)} s`);
    }
    if (wants("directory")) {
      const { consul, changing, platform } = plane;
      const afterRestart = await timeRestarts(changing, { agent: platform.consul, consul, restarts: values.restarts });
      figures["directory_after_restart_s_max"] = rounded(Math.max(...afterRestart) / 1000);
      converged.push(...afterRestart);
    }
    if (converged.length > 0) {
      figures["directory_converge_ms_p50"] = Math.round(quantile(converged, 0.5));
      figures["directory_converge_s_max"] = rounded(Math.max(...converged) / 1000);
      figures["directory_lost"] = plane.changing.subscribers.lost;
      say(`${converged.length} changes known everywhere: p50 ${figures["directory_converge_ms_p50"]} ms`);
    }
  } finally {
    await plane.stop();
  }
}

/** Returns the milliseconds of the directory's changes during the moves. */
async function measureMovesOf(plane: ControlPlane): Promise<number[]> {
  const customers = await plane.platform.enroll(makeBusinesses(movers, 1));
  let moved = false;
  const moving = measureMoves(plane, customers, values.moves).finally(() => (moved = true));
  const [moves, converged] = await Promise.all([moving, timeChanges(plane.changing, () => moved)]);
  figures["moves"] = moves.done;
  figures["moves_per_minute"] = Math.round(moves.perMinute);
  figures["moves_rolled_back"] = moves.rolledBack;
  figures["moves_rows_wrong"] = moves.rowsWrong;
  figures["move_silent_ms_max"] = moves.silentMsMax;
  add("messages_lost", moves.comparison.lost);
  add("messages_duplicated", moves.comparison.duplicates);
  say(`${moves.done} moves, ${figures["moves_per_minute"]} a minute, during ${converged.length} changes`);
  return converged;
}

async function measureManySessions(folder: string): Promise<void> {
  const measured = await measureSessions(sessionsPlan, { folder, say });
  Object.assign(figures, {
    shards: values.shards,
    sessions_open: measured.open,
    sessions_missing: values.sessions - measured.open,
    sessions_mb: Math.round(measured.shardsMb),
    kb_per_session: Math.round(measured.kbPerSession),
    idle_shard_mb: Math.round(measured.idleMb),
    simulator_mb: Math.round(measured.simulatorMb),
    available_mb_min: Math.round(measured.availableMbMin),
    open_s: rounded(measured.openS, 1),
    reopen_s: rounded(measured.reopenS, 1),
    messages_s: rounded(measured.messagesS, 1),
    messages_sent: values.sessions,
  });
  add("messages_lost", measured.comparison.lost);
  add("messages_duplicated", measured.comparison.duplicates);
}
