import { until } from "../../../../lib/testing/until.ts";
import { cutOneWay, heal } from "../../cluster/faults.ts";
import { restartNode } from "../../cluster/lifecycle.ts";
import { powerOff } from "../../cluster/node.ts";
import { runScript } from "../scale/scripts.ts";
import type { Stage } from "./stage.ts";
import { awaitReady } from "./settled.ts";
import type { Figures, Step } from "./steps.ts";

type Shard = { shard: number; healthy: boolean; sessions_open: number | null };
type Listed = { Name: string; NodeName: string; DesiredStatus: string };
type Volume = { Name: string };
type Stub = { Name: string; Status: string };

/** Nomad misses a node after about 20 s. */
const missedWithinMs = 60_000;

async function runningShards({ nomad }: Stage): Promise<{ shard: number; node: string }[]> {
  const all = await nomad<Listed[]>("GET", "/v1/job/wa-shards/allocations");
  return all
    .filter(({ DesiredStatus }) => DesiredStatus === "run")
    .map(({ Name, NodeName }) => ({ shard: Number(/\[(\d+)\]$/.exec(Name)![1]) + 1, node: NodeName }));
}

/** Gives the victim a shard with businesses: an earlier step may have restored its shards elsewhere. */
async function ensureShard(stage: Stage): Promise<void> {
  const { victim } = stage;
  await runScript(stage, "join", ["--node", victim.name]);
  // A join takes a shard only from a node with two more. Each new shard starts on the node with the fewest.
  for (let added = 0; added < stage.platform.length; added++) {
    const running = await runningShards(stage);
    if (running.some(({ node }) => node === victim.name)) return;
    await runScript(stage, "shards", ["--count", `${running.length + 1}`]);
    await runScript(stage, "rebalance", []);
  }
}

/** The shards on the victim, and how many of their sessions are open. */
async function shardsOfVictim(stage: Stage): Promise<{ shards: number[]; open: number }> {
  const { api, victim } = stage;
  await ensureShard(stage);
  const shards = (await runningShards(stage)).filter(({ node }) => node === victim.name).map(({ shard }) => shard);
  if (shards.length === 0) throw new Error(`${victim.name} has no shard`);
  const { data } = await api<{ data: Shard[] }>("GET", "/v1/admin/shards");
  const open = data
    .filter(({ shard }) => shards.includes(shard))
    .reduce((sum, { sessions_open: one }) => sum + (one ?? 0), 0);
  return { shards, open };
}

async function isolate({ cluster, victim }: Stage): Promise<void> {
  for (const peer of cluster.layout.nodes.filter((node) => node !== victim)) {
    await cutOneWay(victim, peer);
    await cutOneWay(peer, victim);
  }
}

const replaced = async ({ simulator }: Stage) => (await simulator.stats())["logins_replaced"] ?? 0;

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
  const { nomad, victim } = stage;
  const { shards, open } = await shardsOfVictim(stage);
  const list = ["--shards", shards.join(",")];
  const before = await replaced(stage);
  const began = performance.now();
  await lose();
  const isMissed = async () => {
    const nodes = await nomad<Stub[]>("GET", "/v1/nodes").catch(() => []);
    return nodes.some(({ Name, Status }) => Name === victim.name && Status !== "ready");
  };
  await until(isMissed, { deadlineMs: missedWithinMs, everyMs: 300, what: "Nomad to miss the node" });
  const result = (await runScript(stage, "restore", list)) as Restored;
  const seconds = (performance.now() - began) / 1000;
  const opened = result.changes[0]!.restored.reduce((sum, { sessions_open: one }) => sum + one, 0);
  if (opened < open) throw new Error(`${opened} of ${open} sessions of shard ${shards.join(", ")} are open again`);
  // A lost node closes no connection: WhatsApp learns of it at the next login.
  const lostConnections = Math.min((await replaced(stage)) - before, open);

  await giveBack();
  await awaitReady(stage, "the return of the node");
  await runScript(stage, "restore", list);
  const volumes = await nomad<Volume[]>("GET", "/v1/volumes?type=host");
  const doubled = shards.filter((shard) => volumes.filter(({ Name }) => Name === `wa-auth[${shard - 1}]`).length !== 1);
  if (doubled.length > 0) throw new Error(`the outdated volume of shard ${doubled.join(", ")} is still there`);
  return { node_lost_restore_s_max: Number(seconds.toFixed(1)), lost_connections: lostConnections };
}

export const restoreSteps: readonly Step[] = [
  {
    name: "shards of a node without power are restored elsewhere",
    losesClient: true,
    run: (stage) =>
      loseAndRestore(
        stage,
        () => powerOff(stage.cluster, stage.victim),
        () => restartNode(stage.cluster, stage.victim),
      ),
  },
  {
    name: "shards of an isolated node are restored elsewhere",
    losesClient: true,
    run: (stage) =>
      loseAndRestore(
        stage,
        () => isolate(stage),
        () => heal(stage.cluster.layout.nodes),
      ),
  },
];
