import { sleep } from "../../../../lib/core/time.ts";
import { until } from "../../../../lib/testing/until.ts";
import { restartNode } from "../../cluster/lifecycle.ts";
import { powerOff } from "../../cluster/node.ts";
import { runScript } from "../scale/scripts.ts";
import { cuts } from "./cuts.ts";
import { drains } from "./drains.ts";
import { leaders } from "./leaders.ts";
import { restoreSteps } from "./restore.ts";
import { serversLost } from "./servers_lost.ts";
import { awaitReady, awaitServers, backWithinMs, faultsOfPlacement } from "./settled.ts";
import type { Stage } from "./stage.ts";
import { endedDuring } from "./survivors.ts";
import { awaitMissed, ensureShards, lostConnections, openSessionsOf } from "./victim.ts";
import { rounded } from "../../figures.ts";

export type Plan = {
  few: number;
  many: number;
  /** Messages a minute in each direction. */
  perMinute: number;
  blipS: number;
  partitionS: number;
  /** Seconds of each other cut. */
  cutS: number;
  serversLostS: number;
};

/** Figures by their names in the result; a step adds those that it measured. */
export type Figures = Record<string, number | boolean>;

export type Step = {
  name: string;
  run(stage: Stage, plan: Plan): Promise<Figures>;
};

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

const lostNode: Step = {
  name: "a platform client loses its power and returns",
  run: async (stage) => {
    const { shards, open } = await ensureShards(stage);
    let seconds = 0;
    const connections = await lostConnections(stage, open, async () => {
      await powerOff(stage.cluster, stage.victim);
      await awaitMissed(stage);
      // Long enough for replicas elsewhere to serve.
      await sleep(20_000);
      const began = performance.now();
      await restartNode(stage.cluster, stage.victim);
      await awaitReady(stage, "the return of the node");
      await until(async () => (await openSessionsOf(stage, shards)) >= open, {
        deadlineMs: backWithinMs,
        everyMs: 300,
        what: "the sessions of the node",
      });
      seconds = (performance.now() - began) / 1000;
    });
    const isEven = (await faultsOfPlacement(stage)).length === 0;
    return { node_return_s: rounded(seconds, 1), placement_ok: isEven, ...connections };
  },
};

const upgrade: Step = {
  name: "the agents of every node restart, one node after the other",
  run: async (stage) => {
    const { layout } = stage.cluster;
    await ensureShards(stage);
    const ended = await endedDuring(
      stage,
      layout.clients,
      async () => {
        for (const node of layout.nodes) {
          await restartNode(stage.cluster, node);
          await awaitServers(stage);
          await awaitReady(stage, `${node.name} with new agents`);
        }
      },
      "all",
    );
    return { agents_upgraded_restarts: ended };
  },
};

export const steps: readonly Step[] = [
  scale,
  ...cuts,
  lostNode,
  ...restoreSteps,
  drains,
  leaders,
  serversLost,
  upgrade,
];
