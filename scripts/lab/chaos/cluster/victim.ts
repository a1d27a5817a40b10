import { until } from "../../../../lib/testing/until.ts";
import { runScript } from "../scale/scripts.ts";
import type { Stage } from "./stage.ts";

type Shard = { shard: number; sessions_open: number | null };
type Listed = { Name: string; NodeName: string; DesiredStatus: string };
type Stub = { Name: string; Status: string };

/** Nomad misses a node after about 20 s. */
const missedWithinMs = 60_000;

/** Shards of the victim, and how many of their sessions are open. */
export type Population = { shards: number[]; open: number };

async function runningShards({ nomad }: Stage): Promise<{ shard: number; node: string }[]> {
  const all = await nomad<Listed[]>("GET", "/v1/job/wa-shards/allocations");
  return all
    .filter(({ DesiredStatus }) => DesiredStatus === "run")
    .map(({ Name, NodeName }) => ({ shard: Number(/\[(\d+)\]$/.exec(Name)![1]) + 1, node: NodeName }));
}

/** Counts the open sessions of some shards. */
export async function openSessionsOf({ api }: Stage, shards: readonly number[]): Promise<number> {
  const { data } = await api<{ data: Shard[] }>("GET", "/v1/admin/shards");
  return data
    .filter(({ shard }) => shards.includes(shard))
    .reduce((sum, { sessions_open: one }) => sum + (one ?? 0), 0);
}

async function populationOf(stage: Stage): Promise<Population> {
  const running = await runningShards(stage);
  const shards = running.filter(({ node }) => node === stage.victim.name).map(({ shard }) => shard);
  return { shards, open: await openSessionsOf(stage, shards) };
}

/**
 * Returns the shards of the victim. Gives it one with businesses if it has none: an earlier step may have restored them
 * elsewhere.
 */
export async function ensureShards(stage: Stage): Promise<Population> {
  const { victim } = stage;
  let population = await populationOf(stage);
  if (population.open === 0) await runScript(stage, "join", ["--node", victim.name]);
  // A join takes a shard only from a node with two more. Each new shard starts on the node with the fewest.
  for (let added = 0; added <= stage.platform.length; added++) {
    population = await populationOf(stage);
    if (population.open > 0) return population;
    if (population.shards.length === 0)
      await runScript(stage, "shards", ["--count", `${(await runningShards(stage)).length + 1}`]);
    await runScript(stage, "rebalance", []);
  }
  throw new Error(`${victim.name} has no shard with an open session`);
}

/** Waits until Nomad counts the victim as lost. */
export function awaitMissed({ nomad, victim }: Stage): Promise<unknown> {
  const isMissed = async () => {
    const nodes = await nomad<Stub[]>("GET", "/v1/nodes").catch(() => []);
    return nodes.some(({ Name, Status }) => Name === victim.name && Status !== "ready");
  };
  return until(isMissed, { deadlineMs: missedWithinMs, everyMs: 300, what: "Nomad to miss the node" });
}

/**
 * Counts the logins that replaced a connection during `work`, which loses `open` sessions. A lost node closes no
 * connection: WhatsApp learns of each at its next login. Any other replaced login is a second owner.
 */
export async function lostConnections(
  { simulator }: Stage,
  open: number,
  work: () => Promise<void>,
): Promise<{ lost_connections: number }> {
  const replaced = async () => (await simulator.stats())["logins_replaced"] ?? 0;
  const before = await replaced();
  await work();
  return { lost_connections: Math.min((await replaced()) - before, open) };
}
