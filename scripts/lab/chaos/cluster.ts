import { until } from "../../../lib/testing/until.ts";
import { wholeNumber } from "../../cli/arguments.ts";
import { root } from "../../stack/environment.ts";
import { labCommand, publish } from "../command.ts";
import { drains } from "./cluster/drains.ts";
import { steps } from "./cluster/steps.ts";
import type { Figures } from "./cluster/steps.ts";
import { openStage } from "./cluster/stage.ts";
import { openSessions, pairMembers } from "./scale/members.ts";
import { Talk } from "./scale/talk.ts";

const command = labCommand(
  "chaos:cluster",
  `Scale, cut and lose the nodes of a cluster while businesses and their contacts write to each other.

Scales the shards from an agent on a server; cuts clients from the servers for seconds and for
minutes; cuts the power of a client, of Nomad's leader and of Consul's; restores the shards of a lost
client elsewhere, by power and by isolation; drains each platform client and takes it back, while the
commands are killed; restarts every agent. Compares every message by content and order at both ends.
Starts a cluster and removes it. Exits 1 if a message was lost, doubled or out of order, a QR code was
requested, two shards held one login, a request failed during a drain, an allocation was restarted
without need, or the allocations of a job were unevenly placed.`,
)
  .option("--servers <n>", "servers of the cluster", wholeNumber(1, 9), 3)
  .option("--clients <n>", "clients of the cluster; the first has the data", wholeNumber(3, 9), 3)
  .option("--businesses <n>", "paired businesses, each with two contacts", wholeNumber(), 100)
  .option("--calls <n>", "calls in progress", wholeNumber(), 20)
  .option("--per-minute <n>", "messages a minute in each direction", wholeNumber(), 600)
  .option("--few <n>", "lowest number of shards", wholeNumber(), 3)
  .option("--many <n>", "highest number of shards", wholeNumber(), 6)
  .option("--blip-s <n>", "seconds of the short cut", wholeNumber(), 20)
  .option("--partition-s <n>", "seconds of the long cut", wholeNumber(), 600)
  .option("--only <text>", "run the steps whose name contains this text", "")
  .option("--here <name>", "act on the running cluster of this name and keep it");
const values = command.parse().opts();
const chosen = steps.filter(({ name }) => name.toLowerCase().includes(values.only.toLowerCase()));
if (chosen.length === 0)
  command.error(`error: no step has "${values.only}" in its name: ${steps.map(({ name }) => name).join(", ")}`);

const name = values.here ?? "chaos";
const began = performance.now();
const say = (line: string) =>
  void process.stderr.write(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${line}\n`);

/** Runs a command of task cluster. */
async function cluster(...args: string[]): Promise<number> {
  const child = Bun.spawn([process.execPath, "run", "scripts/lab/cluster/main.ts", ...args, "--name", name], {
    cwd: root,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
  });
  return child.exited;
}

/** Figures that must be 0. */
const faults = [
  "lost",
  "duplicates",
  "reordered",
  "qr_scans",
  "two_owners",
  "drain_failed_requests",
  "calls_lost",
] as const;
/** A shard of a lost node is open elsewhere within this many seconds. */
const restoredWithinS = 60;
const restarts = ["blip_restarts", "partition_restarts", "agents_upgraded_restarts"] as const;

async function run(): Promise<Record<string, number | boolean | object>> {
  const stage = await openStage(name, values.calls, say);
  const { simulator, callers } = stage;
  const members = await pairMembers(stage, values.businesses);
  say(`${members.length} businesses are paired`);
  const before = await simulator.stats();
  const since = async (key: string) => ((await simulator.stats())[key] ?? 0) - (before[key] ?? 0);
  const talk = new Talk(stage, members, values.perMinute);
  talk.start();
  callers.start();
  const figures: Figures = {};
  const failedBy: Record<string, number> = {};
  let replacedByPowerLoss = 0;
  let lostWithNode = 0;
  for (const { name: step, losesClient = false, run: take } of chosen) {
    const start = performance.now();
    const failed = talk.failures.length;
    const replaced = await since("logins_replaced");
    const callsLost = callers.lost;
    const { placement_ok: placed, lost_connections: lostConnections, ...measured } = await take(stage, values);
    for (const [key, value] of Object.entries(measured))
      figures[key] = key.endsWith("_max") ? Math.max(Number(value), Number(figures[key] ?? 0)) : value;
    if (placed !== undefined) figures["placement_ok"] = figures["placement_ok"] !== false && placed;
    failedBy[step] = talk.failures.length - failed;
    // A lost client takes its calls along.
    if (losesClient) lostWithNode += callers.lost - callsLost;
    // Without power, a client cannot close its connections: WhatsApp learns of it at the next login.
    if (lostConnections !== undefined) replacedByPowerLoss += Number(lostConnections);
    else if (losesClient) replacedByPowerLoss += (await since("logins_replaced")) - replaced;
    say(
      `${step}: ${((performance.now() - start) / 1000).toFixed(1)} s ${JSON.stringify(measured)}; ` +
        `${talk.messages} messages, ${failedBy[step]} requests failed`,
    );
  }
  await Promise.all([talk.stop(), callers.stop()]);
  await until(async () => (await openSessions(stage, members)) === members.length, {
    deadlineMs: 120_000,
    everyMs: 500,
    what: "every session to be open",
  });
  const { lost, duplicates, foreign, disordered } = await talk.compare(120_000);
  return {
    messages: talk.messages,
    lost,
    duplicates: duplicates + foreign,
    reordered: disordered,
    qr_scans: await since("pairings_offered"),
    two_owners: (await since("logins_replaced")) - replacedByPowerLoss,
    calls: callers.answered,
    calls_lost: callers.lost - lostWithNode,
    calls_lost_with_node: lostWithNode,
    calls_refused: callers.refused,
    call_silence_ms_max: callers.silenceMsMax,
    requests: talk.requests,
    failed_requests: talk.failures.length,
    failed_requests_by_step: failedBy,
    ...(drains.name in failedBy ? { drain_failed_requests: failedBy[drains.name]! } : {}),
    ...figures,
  };
}

const remove = async () => {
  if (values.here === undefined) await cluster("down");
};
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void remove().finally(() => process.exit(130)));

let clean = false;
try {
  if (values.here === undefined) {
    const size = ["--servers", `${values.servers}`, "--clients", `${values.clients}`];
    const code = await cluster("up", ...size);
    if (code !== 0) throw new Error(`task cluster -- up exited ${code}`);
  }
  const result = await run();
  clean =
    [...faults, ...restarts].every((key) => (result[key] ?? 0) === 0) &&
    (result["placement_ok"] ?? true) === true &&
    Number(result["node_lost_restore_s_max"] ?? 0) <= restoredWithinS;
  await publish("chaos:cluster", values, result);
} finally {
  await remove();
}
process.exit(clean ? 0 : 1);
