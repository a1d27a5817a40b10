import { wholeNumber } from "../../cli/arguments.ts";
import { root } from "../../stack/environment.ts";
import { labCommand, publish } from "../command.ts";
import { runSteps } from "./cluster/scenario.ts";
import { openStage } from "./cluster/stage.ts";
import { steps } from "./cluster/steps.ts";
import { faultsOf } from "./cluster/verdict.ts";

const command = labCommand(
  "chaos:cluster",
  `Scale, cut and lose the nodes of a cluster while businesses and their contacts write to each other.

Scales the shards from an agent on a server; cuts clients from the servers for seconds and for
minutes, in one direction, and from Consul only; cuts the power of a client; restores the shards of a
lost client elsewhere, by power and by isolation; drains each platform client and takes it back, while
the commands are killed; cuts the power of Nomad's leader and of Consul's in the middle of a deploy,
and of all servers but a minority; restarts every agent. Compares every message by content and order
at both ends. Starts a cluster and removes it. Exits 1 if a message was lost, doubled or out
of order, a QR code was requested, two shards held one login, a request or a call failed, also of a
lost client, an allocation was restarted without need, a placement was uneven, a limit of time was
passed, or a step failed.`,
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
  .option("--cut-s <n>", "seconds of each other cut", wholeNumber(), 60)
  .option("--servers-lost-s <n>", "seconds without a majority of servers", wholeNumber(), 300)
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
  const stage = await openStage(name, values.calls, say);
  const result = await runSteps(stage, chosen, values);
  const faults = faultsOf(result);
  for (const fault of faults) say(fault);
  clean = faults.length === 0;
  await publish("chaos:cluster", values, result);
} finally {
  await remove();
}
process.exit(clean ? 0 : 1);
