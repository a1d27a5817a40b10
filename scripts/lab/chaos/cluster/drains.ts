import { edgesOf } from "../../cluster/layout.ts";
import type { ClusterNode } from "../../cluster/layout.ts";
import { killScript, runScript } from "../scale/scripts.ts";
import type { Kill } from "../scale/scripts.ts";
import { useEdge } from "./operator.ts";
import { awaitReady, faultsOfPlacement } from "./settled.ts";
import type { Stage } from "./stage.ts";
import type { Step } from "./steps.ts";
import { rounded } from "../../figures.ts";

/** Points in the output of a drain at which it is killed: in each of its phases. */
const kills: readonly Kill[] = [
  { after: /is ineligible/ },
  { after: /gets no other business/, ms: 500 },
  { after: /journal of shard .* is empty/, ms: 500 },
  { after: /the volume of shard .* is ready/, ms: 1_000 },
  { after: /holds its owner lock/ },
  { after: /takes businesses again/, ms: 2_000 },
];

/** @throws unless the command refuses, and says why */
async function expectRefusal(stage: Stage, node: ClusterNode, reason: RegExp): Promise<void> {
  const outcome = await runScript(stage, "drain", ["--node", node.name]).then(
    () => "drained it",
    (error: unknown) => (error as Error).message,
  );
  if (!reason.test(outcome)) throw new Error(`node:drain of ${node.name} did not refuse: ${outcome}`);
}

async function remaining({ nomad }: Stage, node: ClusterNode): Promise<string[]> {
  const all = await nomad<{ Name: string; NodeName: string; ClientStatus: string }[]>("GET", "/v1/allocations");
  return all
    .filter(({ NodeName, ClientStatus }) => NodeName === node.name && ["pending", "running"].includes(ClientStatus))
    .map(({ Name }) => Name);
}

/** Drains each platform client and takes it back, while the commands are killed in each of their phases. */
export const drains: Step = {
  name: "every client is drained in turn and taken back",
  run: async (stage) => {
    const edges = edgesOf(stage.cluster.layout);
    const carriersEdge = edges.find(({ address }) => stage.stack.base_url.endsWith(address))!;
    let killed = 0;
    let uneven = 0;
    let longestS = 0;
    await expectRefusal(stage, stage.data, /last node that can run|tied to/);
    // Restores may have left all shards on one node, and a drain needs shards elsewhere.
    await runScript(stage, "join", ["--node", stage.victim.name]);
    try {
      for (const [index, node] of stage.platform.entries()) {
        await useEdge(
          stage,
          edges.find(({ name }) => name !== node.name)!,
        );
        const args = ["--node", node.name];
        // The carrier knows one edge only, and an edge that stops carries its open calls to their end.
        if (node === carriersEdge) await stage.callers.pause();
        // One node with a kill in every phase, the others without: kills lengthen a drain.
        for (const kill of index === 0 ? kills : []) if (await killScript(stage, "drain", args, kill)) killed += 1;
        const began = performance.now();
        await runScript(stage, "drain", args);
        longestS = Math.max(longestS, (performance.now() - began) / 1000);
        const left = await remaining(stage, node);
        if (left.length > 0) throw new Error(`the drain of ${node.name} left ${left.join(", ")}`);
        const again = (await runScript(stage, "drain", args)) as { changes: { plan: string[] }[] };
        if (again.changes[0]!.plan.length > 0)
          throw new Error(`a second drain has a plan: ${again.changes[0]!.plan.join("; ")}`);
        await runScript(stage, "join", args);
        await awaitReady(stage, `${node.name} to be back`);
        uneven += (await faultsOfPlacement(stage)).length;
        stage.callers.resume();
        stage.say(`${node.name} was drained and taken back`);
      }
    } finally {
      await useEdge(stage, carriersEdge);
    }
    return {
      nodes_drained: stage.platform.length,
      drain_kills: killed,
      drain_s_max: rounded(longestS, 1),
      placement_ok: uneven === 0,
    };
  },
};
