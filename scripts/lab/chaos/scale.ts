import { wholeNumber } from "../../cli/arguments.ts";
import { labCommand, publish, sayTimed } from "../command.ts";
import { steps } from "./scale/steps.ts";
import { faultsOf, scaleWhileTalking } from "./scale/scenario.ts";
import { openStack } from "./scale/open_stack.ts";
import { openStage } from "./scale/stage.ts";

const fewShards = 2;
const command = labCommand(
  "chaos:scale",
  `Scale a cluster up and down while businesses and their contacts write to each other.

2 → 5 shards, a rebalance, workers, calls and API up and down, 5 → 2 shards with a drain: each
script is killed midway and run again. Consul is killed and brought back; api, calls, workers and
wa-shards are deployed. Compares every message by content and order at both ends. Starts a stack and
removes it. Exits 1 if a request failed, a message was lost, doubled or out of order, a QR code was
requested, or a task restarted needlessly.`,
)
  .option("--businesses <n>", "paired businesses, each with two contacts", wholeNumber(), 100)
  .option("--per-minute <n>", "messages a minute in each direction", wholeNumber(), 1000)
  .option("--many <n>", "highest number of shards", wholeNumber(fewShards + 1), 5)
  .option("--consul-away <seconds>", "length of the Consul outage", wholeNumber(), 10)
  .option("--only <text>", "run the steps whose name contains this text", "")
  .option("--here", "act on the running stack ($PROSAAS_STACK) and keep it", false);
const values = command.parse().opts();
const plan = {
  businesses: values.businesses,
  perMinute: values.perMinute,
  few: fewShards,
  many: values.many,
  consulAwayS: values.consulAway,
};
const chosen = steps.filter(({ name }) => name.toLowerCase().includes(values.only.toLowerCase()));
if (chosen.length === 0)
  command.error(`error: no step has "${values.only}" in its name: ${steps.map(({ name }) => name).join(", ")}`);

const cluster = await openStack("chaos-scale", values.here);
let clean = false;
try {
  const stage = await openStage(cluster.state, cluster.env, sayTimed());
  const result = await scaleWhileTalking(stage, plan, chosen);
  clean = Object.values(faultsOf(result)).every((count) => count === 0);
  await publish("chaos:scale", values, result);
} finally {
  await cluster.close();
}
process.exit(clean ? 0 : 1);
