import { AppError } from "../../../lib/core/errors.ts";
import type { Nomad } from "../../stack/nomad.ts";
import { readVolumeNodes } from "../../stack/placement.ts";
import type { VolumeNode } from "../../stack/placement.ts";
import { listVolumes } from "../../stack/volumes.ts";
import { readJob } from "../scale/job_group.ts";
import { readNodes } from "../scale/nodes/read_cluster.ts";
import { Room } from "../scale/nodes/room.ts";
import type { Resources } from "../scale/nodes/room.ts";
import { shardGroup } from "../scale/shards_now.ts";
import type { Target } from "../scale/target.ts";
import { chooseWithRoom } from "./choose.ts";
import { decideRestore, shardsSharing } from "./rules.ts";
import type { Decision, Node, ShardState, ShardVolume } from "./rules.ts";

type Restore = Extract<Decision, { do: "restore" }>;

export type RestorePlan = {
  /** Shards that are to be started elsewhere, and the node of each one's volume; null: the volume exists. */
  restored: { shard: number; state: ShardState; decision: Restore; make: VolumeNode | null; to: Node | VolumeNode }[];
  /** Shards that an earlier run placed. */
  followed: { shard: number; to: Node; isProven: boolean }[];
  /** Nodes that Nomad is to forget. */
  purged: Node[];
  /** Shards of these nodes that the command does not restore. */
  sharing: ShardState[];
  /** Volumes that are deleted before a restore, because Nomad could choose them. */
  spare: { shard: number; volume: ShardVolume }[];
  /** Volumes of running shards that are deleted last: they are on other ready nodes and out of date. */
  outdated: { shard: number; volume: ShardVolume; runsOn: string }[];
  /** Shards that run, as far as Nomad, Consul and Postgres know. */
  kept: { shard: number; node: string }[];
  refusals: string[];
  lines: string[];
};

/** True if the command makes no change: a shard is refused, and not all others are to be restored without it. */
export const isRefused = ({ refusals, lines }: RestorePlan, skipRefused: boolean): boolean =>
  refusals.length > 0 && (!skipRefused || lines.length === 0);

/**
 * Plans the restore of these shards. @param wantedNode name of the node of the new volumes; undefined: the best one
 * @param all the states of all shards
 */
export async function planRestore(
  target: Target,
  states: readonly ShardState[],
  all: readonly ShardState[],
  wantedNode: string | undefined,
): Promise<RestorePlan> {
  const decisions = states.map((state) => ({ shard: state.shard, state, decision: decideRestore(state, wantedNode) }));
  const refusals = decisions.flatMap(({ decision }) => (decision.do === "refuse" ? [decision.why] : []));
  const candidates = decisions.flatMap(({ shard, state, decision }) =>
    decision.do === "restore" ? [{ shard, state, decision }] : [],
  );
  const missing = candidates.filter(({ decision }) => decision.madeOn === null).map(({ shard }) => shard);
  const choice = await chooseFor(target, missing, wantedNode);
  refusals.push(...choice.refusals);
  const restores = candidates.filter(({ shard, decision }) => decision.madeOn !== null || choice.chosen.has(shard));
  const purged = [
    ...new Map(restores.flatMap(({ decision: { purge } }) => (purge === null ? [] : [[purge.id, purge]]))).values(),
  ];
  const plan: Omit<RestorePlan, "lines"> = {
    restored: restores.flatMap((one) => {
      const make = choice.chosen.get(one.shard) ?? null;
      const to = one.decision.madeOn ?? make;
      return to === null ? [] : [{ ...one, make, to }];
    }),
    followed: decisions.flatMap(({ shard, decision }) =>
      decision.do === "follow" ? [{ shard, to: decision.node, isProven: decision.isProven }] : [],
    ),
    purged,
    sharing: shardsSharing(
      purged,
      restores.map(({ shard }) => shard),
      all,
    ),
    spare: restores.flatMap(({ shard, decision }) => decision.spare.map((volume) => ({ shard, volume }))),
    outdated: decisions.flatMap(({ shard, decision }) =>
      decision.do === "keep" ? decision.outdated.map((volume) => ({ shard, volume, runsOn: decision.node.id })) : [],
    ),
    kept: decisions.flatMap(({ shard, decision }) =>
      decision.do === "keep" ? [{ shard, node: decision.node.name }] : [],
    ),
    refusals,
  };
  return { ...plan, lines: await linesOf(target.nomad, plan, states) };
}

async function chooseFor(target: Target, shards: readonly number[], wanted: string | undefined) {
  if (shards.length === 0) return { chosen: new Map<number, VolumeNode>(), refusals: [] };
  const { NodePool = "default", TaskGroups } = await readJob(target, shardGroup.job);
  const nodes = await readVolumeNodes(target.nomad, NodePool);
  const usable = wanted === undefined ? nodes : nodes.filter(({ name }) => name === wanted);
  if (usable.length === 0) {
    throw new AppError(
      "conflict",
      `${wanted} cannot take a shard: it must be ready, eligible and in the pool "${NodePool}", as ` +
        `${nodes.map(({ name }) => name).join(", ")} are.`,
    );
  }
  const volumes = await listVolumes(target.agents.nomadAddr);
  return chooseWithRoom(shards, {
    nodes: usable,
    volumes: volumes.map(({ Name, NodeID }) => ({ name: Name, nodeId: NodeID })),
    room: new Room(await readNodes(target)),
    need: needOf(TaskGroups as unknown as GroupWithResources[]),
  });
}

type GroupWithResources = { Name: string; Tasks: { Resources: { CPU: number; MemoryMB: number } }[] };

/** The memory and CPU that an allocation of a shard reserves. */
function needOf(groups: readonly GroupWithResources[]): Resources {
  const tasks = groups.find(({ Name }) => Name === shardGroup.group)?.Tasks ?? [];
  return {
    cpuMhz: tasks.reduce((sum, { Resources: { CPU } }) => sum + CPU, 0),
    memoryMb: tasks.reduce((sum, { Resources: { MemoryMB } }) => sum + MemoryMB, 0),
  };
}

async function linesOf(
  nomad: Nomad,
  { restored, followed, purged, spare, outdated }: Omit<RestorePlan, "lines">,
  states: readonly ShardState[],
): Promise<string[]> {
  const deletion = ({ shard, volume }: { shard: number; volume: ShardVolume }) =>
    `delete the volume of shard ${shard} on ${volume.node!.name}, which is empty or out of date`;
  const lines = spare.map(deletion);
  for (const { shard, make } of restored)
    if (make !== null) lines.push(`make the volume for shard ${shard} on ${make.name}`);
  for (const { shard, state } of restored) {
    const leftMs = state.copy?.lease_left_ms ?? 0;
    if (leftMs > 0 || state.isLocked)
      lines.push(
        `wait until the lost owner of shard ${shard} has neither its lease nor its lock` +
          (leftMs > 0 ? ` (lease: ${Math.ceil(leftMs / 1000)} s)` : ""),
      );
  }
  for (const node of purged) {
    if (node.isAlive) lines.push(`wait until Consul misses ${node.name}, as Nomad does`);
    const others = await othersOn(nomad, node, states);
    lines.push(
      `have Nomad forget ${node.name}, so that it starts the shard elsewhere` +
        (others.length === 0 ? "" : `; ${others.join(", ")} there start when the node is back, or on another one`),
    );
  }
  for (const { shard, to } of [...restored, ...followed])
    lines.push(`wait until shard ${shard} runs on ${to.name} and its sessions are open`);
  lines.push(...outdated.map(deletion));
  return lines;
}

type OnNode = { Name: string; DesiredStatus: string; ClientStatus: string };

/** Names the other tasks that Nomad expects on a lost node, such as "shard 5" or "postgres-replica". */
async function othersOn(nomad: Nomad, { id }: Node, states: readonly ShardState[]): Promise<string[]> {
  const all = await nomad<OnNode[]>("GET", `/v1/node/${id}/allocations`);
  const names = all
    .filter(({ DesiredStatus, ClientStatus }) => DesiredStatus === "run" && ClientStatus === "unknown")
    .map(({ Name }) => {
      const shard = /^wa-shards\.shard\[(\d+)\]$/.exec(Name)?.[1];
      return shard === undefined ? Name.split(".")[0]! : `shard ${Number(shard) + 1}`;
    })
    .filter((name) => !states.some(({ shard }) => name === `shard ${shard}`));
  return [...new Set(names)].toSorted();
}
