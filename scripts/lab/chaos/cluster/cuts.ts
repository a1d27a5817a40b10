import { sleep } from "../../../../lib/core/time.ts";
import { until } from "../../../../lib/testing/until.ts";
import { cutBetween, cutConsulOneWay, cutOneWay, heal } from "../../cluster/faults.ts";
import type { ClusterNode } from "../../cluster/layout.ts";
import { awaitReady, backWithinMs } from "./settled.ts";
import type { Stage } from "./stage.ts";
import type { Plan, Step } from "./steps.ts";
import { endedDuring } from "./survivors.ts";
import { ensureShards, openSessionsOf } from "./victim.ts";
import { rounded } from "../../figures.ts";

type Cut = {
  name: string;
  /** Begins the names of the figures. */
  figure: string;
  seconds: (plan: Plan) => number;
  /** The clients that are cut off. */
  nodes: (stage: Stage) => ClusterNode[];
  cut: (stage: Stage, nodes: readonly ClusterNode[]) => Promise<void>;
};

/**
 * Cuts clients off for a while. Counts the processes of lasting jobs that end there, and the seconds until the API
 * reaches their shards again.
 */
const cutStep = ({ name, figure, seconds, nodes, cut }: Cut): Step => ({
  name,
  run: async (stage, plan) => {
    const { shards, open } = await ensureShards(stage);
    let backS = 0;
    const cutOff = nodes(stage);
    const ended = await endedDuring(stage, cutOff, async () => {
      await cut(stage, cutOff);
      await sleep(seconds(plan) * 1000);
      await heal(stage.cluster.layout.nodes);
      const healedAt = performance.now();
      await until(async () => (await openSessionsOf(stage, shards)) >= open, {
        deadlineMs: backWithinMs,
        everyMs: 200,
        what: "the shards to be reached",
      });
      backS = (performance.now() - healedAt) / 1000;
      await awaitReady(stage, `the end of the step "${name}"`);
    });
    return {
      [`${figure}_s`]: seconds(plan),
      [`${figure}_back_s`]: rounded(backS, 1),
      [`${figure}_restarts`]: ended,
    };
  },
});

const victim = ({ victim: node }: Stage) => [node];
const fromServers = ({ cluster }: Stage, nodes: readonly ClusterNode[]) => cutBetween(nodes, cluster.layout.servers);

export const cuts: readonly Step[] = [
  cutStep({
    name: "short cut of the data and of a platform client from the servers",
    figure: "blip",
    seconds: ({ blipS }) => blipS,
    nodes: ({ data, victim: node }) => [data, node],
    cut: fromServers,
  }),
  cutStep({
    name: "a platform client cut from the servers, not from WhatsApp",
    figure: "partition",
    seconds: ({ partitionS }) => partitionS,
    nodes: victim,
    cut: fromServers,
  }),
  cutStep({
    name: "a platform client cut from Consul only",
    figure: "consul_cut",
    seconds: ({ cutS }) => cutS,
    nodes: victim,
    cut: ({ cluster }, nodes) =>
      cutBetween(
        nodes,
        cluster.layout.nodes.filter((node) => !nodes.includes(node)),
        cutConsulOneWay,
      ),
  }),
  cutStep({
    name: "one-way cut: a platform client does not reach the servers",
    figure: "cut_to_servers",
    seconds: ({ cutS }) => cutS,
    nodes: victim,
    cut: async ({ cluster }, nodes) => {
      for (const node of nodes) for (const server of cluster.layout.servers) await cutOneWay(node, server);
    },
  }),
  cutStep({
    name: "one-way cut: the servers do not reach a platform client",
    figure: "cut_from_servers",
    seconds: ({ cutS }) => cutS,
    nodes: victim,
    cut: async ({ cluster }, nodes) => {
      for (const node of nodes) for (const server of cluster.layout.servers) await cutOneWay(server, node);
    },
  }),
];
