import { JobFailure, waitForJobs } from "../../../stack/wait.ts";
import { taskVariable } from "../../arguments.ts";
import { runScaleCommand, scaleCommand } from "../command.ts";
import type { Change, Settings } from "../command.ts";
import { ScaleFailure } from "../failure.ts";
import { nameOf } from "../../../../lib/scaling/index.ts";
import { rebalance, runningMoves } from "../moves.ts";
import type { Report } from "../report.ts";
import type { Target } from "../target.ts";
import { awaitNothing } from "./await.ts";
import type { NodeNow } from "./cluster_now.ts";
import { acrossElections } from "../../../stack/elections.ts";
import { setEligibility } from "./eligibility.ts";
import { emptyCordoned } from "./empty_shards.ts";
import { findNode } from "./find_node.ts";
import { departureOptions } from "./options.ts";
import { planJoin } from "./plan_join.ts";
import type { SpreadReplica } from "./plan_join.ts";
import type { DepartureOptions } from "./plan_relocations.ts";
import { readAllocations, readCluster, readNodes } from "./read_cluster.ts";
import { beginRelocations, cancelRelocation, finishRelocation, makeVolumes, relocateShard } from "./relocate.ts";
import { awaitSystemJobs, systemJobsOf } from "./system_jobs.ts";
import { spreadBusinesses } from "./spread_businesses.ts";

async function joinNode(target: Target, name: string, options: DepartureOptions, settings: Settings): Promise<Change> {
  const found = findNode(await readNodes(target), name);
  const now = await readCluster(target, found.id);
  const node = findNode(now.nodes, found.id);
  const volumes = now.volumeNodes.find(({ id }) => id === node.id);
  const plan = planJoin(now, node, volumes, options);
  const { lines, refusals, kept, finished, relocations, replicas } = plan;
  const { planned } = await rebalance(target, {
    dry_run: true,
    max: 1000,
    drain: [],
    max_sessions: options.maxSessions,
  });
  // An interrupted run has started them.
  const running = await runningMoves(target);
  const isSpread = planned.length === 0 && relocations.length === 0;
  return {
    what: `join ${node.name}`,
    plan: [
      ...lines,
      ...(running.length > 0 ? [`follow the moves in progress: ${running.length}`] : []),
      ...(isSpread ? [] : ["spread the businesses over the nodes, each silent for about a second"]),
    ],
    details: {
      node: node.name,
      shards: relocations.map(({ shard, businesses, how, to }) => ({ shard, businesses, how, to: to.name })),
      replicas: replicas.map((one) => nameOf(one)),
    },
    refusal: refusals.length > 0 ? refusals.join(" ") : undefined,
    apply: async (report) => {
      for (const shard of finished) await finishRelocation(target, shard, report, settings);
      for (const shard of kept) await cancelRelocation(target, shard, node.id, report);
      await report.step(`${node.name} is eligible`, () => makeEligible(target, node));
      const system = systemJobsOf(now, node);
      if (system.length > 0)
        await report.step(`the system jobs run on ${node.name}`, () =>
          awaitSystemJobs(target, node, system, report, settings),
        );
      for (const group of plan.groups) {
        await beginRelocations(target, group, report);
        await emptyCordoned(target, group, options, report, settings);
        await makeVolumes(target, group, report);
        for (const one of group) await relocateShard(target, one, report, settings);
      }
      for (const one of replicas) await restartReplica(target, one, report, settings);
      await spreadBusinesses(target, options, report, settings);
    },
    state: async () => {
      const allocations = (await readAllocations(target)).filter(({ nodeId }) => nodeId === node.id);
      return { on_node: allocations.map(({ job, index }) => `${job}[${index}]`) };
    },
  };
}

async function makeEligible(target: Target, node: NodeNow): Promise<void> {
  if (!node.isDraining) return setEligibility(target, node.id, true);
  await acrossElections(() =>
    target.nomad("POST", `/v1/node/${node.id}/drain`, { DrainSpec: null, MarkEligible: true }),
  );
}

/** Stops a replica; Nomad starts another one, on the node with the fewest of the group. */
function restartReplica(
  target: Target,
  { job, group, allocationId }: SpreadReplica,
  report: Report,
  { deadlineMs }: Settings,
): Promise<void> {
  return report.step(`a replica of ${nameOf({ job, group })} was started again`, async () => {
    await acrossElections(() => target.nomad("POST", `/v1/allocation/${allocationId}/stop`));
    const hint = `See: nomad job status ${job}.`;
    await awaitNothing(report, { deadlineMs, hint }, async () => {
      const isLeft = (await readAllocations(target)).some(({ id }) => id === allocationId);
      return isLeft ? `Nomad has not stopped the replica of ${job} yet` : null;
    });
    try {
      await waitForJobs([job], target.agents, { until: "serving", deadlineMs, known: [job] });
    } catch (error) {
      throw error instanceof JobFailure ? new ScaleFailure(error.message) : error;
    }
  });
}

const command = departureOptions(
  scaleCommand(
    "node:join",
    "NODE=NAME",
    `Give a new node, or one that was drained, its part of the work. NODE is a name, an id or the
beginning of one.

Makes the node eligible, starts whole shards there from the nodes with the most, and spreads replicas
and businesses over the nodes. A shard leaves its node as in node:drain. Also ends an interrupted
drain: what is still on the node stays.

Examples:
  ./scripts/task node:join NODE=client-4 -- --dry-run
  ./scripts/task node:join NODE=client-4`,
  ),
).addOption(taskVariable("--node <name>").default(""));

await runScaleCommand(command, ({ node, withCopies, maxSessions }) => {
  if (node === "") command.error("error: NODE is missing");
  return async (target, settings) => [await joinNode(target, node, { withCopies, maxSessions }, settings)];
});
