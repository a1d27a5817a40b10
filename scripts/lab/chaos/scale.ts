import { readRun, wrongArguments } from "../../cli/operator/command_line.ts";
import { readStack, stateFolder } from "../../cli/operator/stack.ts";
import { createCluster } from "../../testing/cluster.ts";
import { ordeals } from "./scale/ordeals.ts";
import { faultsOf, scaleWhileTalking } from "./scale/scenario.ts";
import { openStage } from "./scale/stage.ts";

const usage = `Usage: task chaos:scale [-- --json] [-- --businesses N]

Paired businesses and their contacts write to each other while the cluster is scaled: 2 → 5 shards, rebalance, workers,
calls and API up and down, 5 → 2 shards with drain, each script killed with -9 in the middle and run again; Consul is
killed and comes back; api, calls, workers and wa-shards are deployed anew. At the end every message is compared by
content and order at both ends.
Starts a stack of its own and leaves nothing running. Exits 1 where a request failed, a message was lost, doubled or out of
order, a QR was asked for, or a task was restarted that should not have been.

  --json           one JSON object as the last line
  --businesses N   paired businesses, each with two contacts (100)
  --per-minute N   messages a minute, each way (1000)
  --many N         shards at the most (5)
  --consul-away S  seconds that Consul is away (10)
  --only PATTERN   only the ordeals that have this in their name
  --here           on the running stack ($PROSAAS_STACK), which is left running`;

const values = readRun(
  usage,
  { businesses: 100, "per-minute": 1000, many: 5, "consul-away": 10 },
  { only: { type: "string", default: "" }, here: { type: "boolean", default: false } },
);
const plan = {
  businesses: values.businesses,
  perMinute: values["per-minute"],
  few: 2,
  many: values.many,
  consulAwayS: values["consul-away"],
};
if (plan.many <= plan.few) wrongArguments(`--many is above ${plan.few}, from which the shards start`, usage);
const chosen = ordeals.filter(({ name }) => name.toLowerCase().includes(values.only.toLowerCase()));
if (chosen.length === 0)
  wrongArguments(`--only "${values.only}" is in no name: ${ordeals.map(({ name }) => name).join(", ")}`, usage);

const began = performance.now();
const say = (line: string) =>
  void process.stderr.write(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${line}\n`);

/** The running stack, or one of this run's own. */
async function openCluster(): Promise<{ state: string; env: Record<string, string>; close(): Promise<unknown> }> {
  if (values.here) {
    const { stack } = await readStack();
    return {
      state: stateFolder(stack),
      env: { PROSAAS_STACK: stack, PROSAAS_STATE_DIR: stateFolder(stack) },
      close: async () => {},
    };
  }
  const cluster = await createCluster("chaos-scale");
  const { code } = await cluster.up();
  if (code === 0) return { state: cluster.state, env: cluster.env, close: () => cluster.remove() };
  await cluster.remove();
  throw new Error(`./scripts/up exited ${code}`);
}

const cluster = await openCluster();
let clean = false;
try {
  const stage = await openStage(cluster.state, cluster.env, say);
  const result = await scaleWhileTalking(stage, plan, chosen);
  clean = Object.values(faultsOf(result)).every((count) => count === 0);
  console.log(values.json ? JSON.stringify(result) : JSON.stringify(result, null, 2));
} finally {
  await cluster.close();
}
process.exit(clean ? 0 : 1);
