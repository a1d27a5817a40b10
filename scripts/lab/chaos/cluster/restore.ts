import { cutBetween, heal } from "../../cluster/faults.ts";
import { restartNode } from "../../cluster/lifecycle.ts";
import { powerOff } from "../../cluster/node.ts";
import { runScript } from "../scale/scripts.ts";
import type { Stage } from "./stage.ts";
import { awaitReady } from "./settled.ts";
import type { Figures, Step } from "./steps.ts";
import { awaitMissed, ensureShards, lostConnections } from "./victim.ts";
import { rounded } from "../../figures.ts";

type Volume = { Name: string };

const isolate = ({ cluster, victim }: Stage): Promise<void> =>
  cutBetween(
    [victim],
    cluster.layout.nodes.filter((node) => node !== victim),
  );

type Restored = { changes: { restored: { sessions_open: number }[] }[] };

/**
 * Loses the victim, restores its shards elsewhere, and has it return. Counts the time from the loss until every session
 * is open.
 */
async function loseAndRestore(
  stage: Stage,
  lose: () => Promise<void>,
  giveBack: () => Promise<unknown>,
): Promise<Figures> {
  const { shards, open } = await ensureShards(stage);
  const list = ["--shards", shards.join(",")];
  const began = performance.now();
  let seconds = 0;
  const connections = await lostConnections(stage, open, async () => {
    await lose();
    await awaitMissed(stage);
    const result = (await runScript(stage, "restore", list)) as Restored;
    seconds = (performance.now() - began) / 1000;
    const opened = result.changes[0]!.restored.reduce((sum, { sessions_open: one }) => sum + one, 0);
    if (opened < open) throw new Error(`${opened} of ${open} sessions of shard ${shards.join(", ")} are open again`);
  });

  await giveBack();
  await awaitReady(stage, "the return of the node");
  await runScript(stage, "restore", list);
  const volumes = await stage.nomad<Volume[]>("GET", "/v1/volumes?type=host");
  const doubled = shards.filter((shard) => volumes.filter(({ Name }) => Name === `wa-auth[${shard - 1}]`).length !== 1);
  if (doubled.length > 0) throw new Error(`the outdated volume of shard ${doubled.join(", ")} is still there`);
  return { node_lost_restore_s_max: rounded(seconds, 1), ...connections };
}

export const restoreSteps: readonly Step[] = [
  {
    name: "shards of a node without power are restored elsewhere",
    run: (stage) =>
      loseAndRestore(
        stage,
        () => powerOff(stage.cluster, stage.victim),
        () => restartNode(stage.cluster, stage.victim),
      ),
  },
  {
    name: "shards of an isolated node are restored elsewhere",
    run: (stage) =>
      loseAndRestore(
        stage,
        () => isolate(stage),
        () => heal(stage.cluster.layout.nodes),
      ),
  },
];
