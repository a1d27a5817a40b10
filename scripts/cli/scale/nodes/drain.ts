import { taskVariable, wholeNumber } from "../../arguments.ts";
import { runScaleCommand, scaleCommand } from "../command.ts";
import type { Change, Settings } from "../command.ts";
import type { Target } from "../target.ts";
import type { NodeNow } from "./cluster_now.ts";
import { emptyCordoned } from "./empty_shards.ts";
import { setEligibility } from "./eligibility.ts";
import { findNode } from "./find_node.ts";
import { awaitDrained, startNomadDrain } from "./nomad_drain.ts";
import { departureOptions } from "./options.ts";
import { planDrain } from "./plan_drain.ts";
import type { DrainOptions } from "./plan_drain.ts";
import { readAllocations, readCluster } from "./read_cluster.ts";
import { beginRelocations, finishRelocation, makeVolumes, relocateShard } from "./relocate.ts";

type Options = DrainOptions & { drainMs: number };

async function drainNode(target: Target, name: string, options: Options, settings: Settings): Promise<Change> {
  const now = await readCluster(target);
  const node = findNode(now.nodes, name);
  const plan = planDrain(now, node, options);
  const { lines, refusals, relocations, replicas, stopped, finished } = plan;
  return {
    what: `drain ${node.name}`,
    plan: lines,
    details: {
      node: node.name,
      shards: relocations.map(({ shard, businesses, how, to }) => ({ shard, businesses, how, to: to.name })),
      replicas,
      stopped,
    },
    refusal: refusals.length > 0 ? refusals.join(" ") : undefined,
    apply: async (report) => {
      for (const shard of finished) await finishRelocation(target, shard, report, settings);
      await report.step(`${node.name} is ineligible`, () => setEligibility(target, node.id, false));
      await beginRelocations(target, relocations, report);
      await emptyCordoned(target, relocations, options, report, settings);
      await makeVolumes(target, relocations, report);
      for (const relocation of relocations) await relocateShard(target, relocation, report, settings);
      await report.step(`nothing runs on ${node.name}`, async () => {
        if (!node.isDraining) await startNomadDrain(target, node, options.drainMs);
        await awaitDrained(target, node, report, { drainMs: options.drainMs, stopped });
      });
      await report.step("verified: nothing is left but volumes", async () => {
        const left = await leftOn(target, node);
        return `${node.name} is drained${left}. Take it back: task node:join NODE=${node.name}`;
      });
    },
    state: async () => {
      const allocations = (await readAllocations(target)).filter(({ nodeId }) => nodeId === node.id);
      return { on_node: allocations.map(({ job, index }) => `${job}[${index}]`) };
    },
  };
}

/** Names the volumes that stay on a drained node. */
async function leftOn(target: Target, node: NodeNow): Promise<string> {
  const { volumes } = await readCluster(target);
  const names = volumes.filter(({ nodeId }) => nodeId === node.id).map(({ name }) => name);
  return names.length === 0 ? ", and no volume is left on it" : `, and keeps the volumes ${names.join(", ")}`;
}

const command = departureOptions(
  scaleCommand(
    "node:drain",
    "NODE=NAME",
    `Empty a node while everything runs. NODE is a name, an id or the beginning of one.

Moves the businesses of its shards to shards on other nodes, each silent for about a second, and
starts the empty shards elsewhere. --with-copies takes shards along with their copies instead: it
needs no room on other shards, but all businesses of a shard are silent for about 20 s. Then Nomad
moves the rest; a calls replica carries on its calls for up to 10 minutes. After an interruption the
same command continues, and node:join goes back.

Examples:
  ./scripts/task node:drain NODE=client-2 -- --dry-run
  ./scripts/task node:drain NODE=4f1c8a3e -- --with-copies`,
  ),
)
  .addOption(taskVariable("--node <name>").default(""))
  .option("--stop-tied", "stop services that are tied to the node by a volume, until it is back", false)
  .option("--drain-s <n>", "seconds after which Nomad stops what is left", wholeNumber(1, 86_400), 900);

await runScaleCommand(command, ({ node, withCopies, maxSessions, stopTied, drainS }) => {
  if (node === "") command.error("error: NODE is missing");
  const options = { withCopies, maxSessions, stopTied, drainMs: drainS * 1000 };
  return async (target, settings) => [await drainNode(target, node, options, settings)];
});
