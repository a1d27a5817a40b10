import { sleep } from "../../../../lib/core/time.ts";
import { until } from "../../../../lib/testing/until.ts";
import { createNomad } from "../../../stack/nomad.ts";
import { nomadUrl } from "../../cluster/access.ts";
import { cutOneWay, heal } from "../../cluster/faults.ts";
import type { ClusterNode } from "../../cluster/layout.ts";
import { restartNode } from "../../cluster/lifecycle.ts";
import { powerOff } from "../../cluster/node.ts";
import { agents } from "../../cluster/agents.ts";
import { leaderOf } from "../../cluster/status.ts";
import { runScript } from "../scale/scripts.ts";
import { drains } from "./drains.ts";
import { restoreSteps } from "./restore.ts";
import { awaitReady, backWithinMs, faultsOfPlacement } from "./settled.ts";
import type { Stage } from "./stage.ts";
import { endedDuring } from "./survivors.ts";

export type Plan = { few: number; many: number; blipS: number; partitionS: number };

/** Figures by their names in the result; a step adds those that it measured. */
export type Figures = Record<string, number | boolean>;

export type Step = {
  name: string;
  /** True if a client cannot close its connections, nor carry its calls on. */
  losesClient?: true;
  run(stage: Stage, plan: Plan): Promise<Figures>;
};

type Stub = { ID: string; Name: string; Status: string };

const scale: Step = {
  name: "scale shards up and down from a server's agent",
  run: async (stage, { few, many }) => {
    const faults: string[] = [];
    for (const [count, options] of [
      [few, []],
      [many, []],
      [few, ["--drain"]],
    ] as const) {
      await runScript(stage, "shards", ["--count", `${count}`, ...options]);
      faults.push(...(await faultsOfPlacement(stage)));
    }
    return { placement_ok: faults.length === 0 };
  },
};

async function cutFrom(nodes: readonly ClusterNode[], peers: readonly ClusterNode[]): Promise<void> {
  for (const node of nodes)
    for (const peer of peers) {
      await cutOneWay(node, peer);
      await cutOneWay(peer, node);
    }
}

const blip: Step = {
  name: "short cut of the data and of a platform client from the servers",
  run: async (stage, { blipS }) => {
    const { layout } = stage.cluster;
    const cut = [stage.data, stage.victim];
    const ended = await endedDuring(stage, cut, async () => {
      await cutFrom(cut, layout.servers);
      await sleep(blipS * 1000);
      await heal(layout.nodes);
      await awaitReady(stage, "the end of the blip");
    });
    return { blip_s: blipS, blip_restarts: ended.length };
  },
};

const partition: Step = {
  name: "a platform client cut from the servers, not from WhatsApp",
  run: async (stage, { partitionS }) => {
    const { layout } = stage.cluster;
    const ended = await endedDuring(stage, [stage.victim], async () => {
      await cutFrom([stage.victim], layout.servers);
      await sleep(partitionS * 1000);
      await heal(layout.nodes);
      await awaitReady(stage, "the end of the partition");
    });
    return { partition_s: partitionS, partition_restarts: ended.length };
  },
};

const lostNode: Step = {
  name: "a platform client loses its power and returns",
  losesClient: true,
  run: async (stage) => {
    await powerOff(stage.cluster, stage.victim);
    const gone = async () => {
      const nodes = await stage.nomad<Stub[]>("GET", "/v1/nodes");
      return nodes.some(({ Name, Status }) => Name === stage.victim.name && Status !== "ready");
    };
    await until(gone, { deadlineMs: backWithinMs, everyMs: 300, what: "Nomad to miss the node" });
    // Long enough for replicas elsewhere to serve.
    await sleep(20_000);
    const began = performance.now();
    await restartNode(stage.cluster, stage.victim);
    await awaitReady(stage, "the return of the node");
    const seconds = (performance.now() - began) / 1000;
    return { node_return_s: Number(seconds.toFixed(1)), placement_ok: (await faultsOfPlacement(stage)).length === 0 };
  },
};

const leaders: Step = {
  name: "the leaders of Nomad and Consul lose their power",
  run: async (stage) => {
    let longest = 0;
    for (const which of agents) {
      const name = await leaderOf(stage.cluster, which);
      const leader = stage.cluster.layout.servers.find((server) => server.name === name);
      if (leader === undefined) throw new Error(`no server leads ${which}`);
      await powerOff(stage.cluster, leader);
      const began = performance.now();
      await until(
        async () => {
          const now = await leaderOf(stage.cluster, which);
          return now !== null && now !== name;
        },
        { deadlineMs: 60_000, everyMs: 50, what: `another leader of ${which}` },
      );
      longest = Math.max(longest, (performance.now() - began) / 1000);
      await restartNode(stage.cluster, leader);
      await until(async () => Boolean(await createNomad(nomadUrl(leader))("GET", "/v1/status/leader")), {
        deadlineMs: 60_000,
        everyMs: 300,
        what: `${leader.name} to be back`,
      });
    }
    await awaitReady(stage, "the return of the servers");
    return { leader_lost_s_max: Number(longest.toFixed(1)) };
  },
};

const upgrade: Step = {
  name: "the agents of every node restart, one node after the other",
  run: async (stage) => {
    const { layout } = stage.cluster;
    const ended = await endedDuring(
      stage,
      layout.clients,
      async () => {
        for (const node of layout.nodes) {
          await restartNode(stage.cluster, node);
          await awaitReady(stage, `${node.name} with new agents`);
        }
      },
      "all",
    );
    return { agents_upgraded_restarts: ended.length };
  },
};

export const steps: readonly Step[] = [scale, blip, partition, lostNode, ...restoreSteps, drains, leaders, upgrade];
