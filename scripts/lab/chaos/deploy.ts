import { wholeNumber } from "../../cli/arguments.ts";
import { labCommand, publish, sayTimed } from "../command.ts";
import { cases, deployWhileTalking, faultsOf } from "./deploy/scenario.ts";
import { openStack } from "./scale/open_stack.ts";
import { openStage } from "./scale/stage.ts";

const command = labCommand(
  "chaos:deploy",
  `Deploy bad releases of each job, a good one and its rollback, while businesses and contacts write.

A release dies at once, is never ready, opens no session (shards) or cannot be fetched (edge). Each has
to be reverted by Nomad with the counts of the cluster, and task deploy has to say so. Then a good
release is deployed and rolled back. Compares every message by content and order at both ends. Starts a
stack and removes it. Exits 1 if a job was not reverted, ran a wrong release or lost a count, a request
failed, or a message was lost, doubled or out of order. Half an hour.`,
)
  .option("--businesses <n>", "paired businesses, each with two contacts", wholeNumber(), 20)
  .option("--per-minute <n>", "messages a minute in each direction", wholeNumber(), 300)
  .option("--only <text>", "only cases whose job and fault contain this text", "")
  .option("--here", "act on the running stack ($PROSAAS_STACK) and keep it", false);
const values = command.parse().opts();
const chosen = cases.filter(({ job, fault }) => `${job}, ${fault}`.includes(values.only));
if (chosen.length === 0)
  command.error(`error: no case has "${values.only}": ${cases.map(({ job, fault }) => `${job}, ${fault}`).join("; ")}`);

const stack = await openStack("chaos-deploy", values.here);
let clean = false;
try {
  const stage = await openStage(stack.state, stack.env, sayTimed());
  const plan = { businesses: values.businesses, perMinute: values.perMinute, cases: chosen };
  const result = await deployWhileTalking(stage, plan);
  clean = Object.values(faultsOf(result)).every((count) => count === 0);
  await publish("chaos:deploy", values, result);
} finally {
  await stack.close();
}
process.exit(clean ? 0 : 1);
