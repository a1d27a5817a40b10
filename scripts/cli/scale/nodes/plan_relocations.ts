import { chooseNodes } from "../../../stack/placement.ts";
import type { VolumeNode } from "../../../stack/placement.ts";
import { kindOfVolume, shardVolume } from "../../../stack/volumes.ts";
import type { AllocationNow, ClusterNow } from "./cluster_now.ts";
import type { Room } from "./room.ts";
import { allocationOf, volumesOf } from "./shards_of_node.ts";

/**
 * How a shard leaves its node. "move": its businesses are moved to other shards first. "copy": it takes its state along
 * by its copy. "empty": it has no business.
 */
export type Departure = "move" | "copy" | "empty";

/** A shard that starts on another node, with a new volume. */
export type PlannedRelocation = {
  shard: number;
  businesses: number;
  how: Departure;
  from: string;
  to: VolumeNode;
  /** Nodes with a volume of the shard in the end: only the last one keeps it. */
  nodes: readonly string[];
  /** True if its node takes no other shard afterwards. */
  isDrain: boolean;
};

export type DepartureOptions = {
  /** True if shards take their state along by their copies. */
  withCopies: boolean;
  /** Most sessions on a shard that gets businesses. */
  maxSessions: number;
};

/** Why a shard may not start on a new volume: it would be refused there, or lose its state. */
export function faultOfDeparture(now: ClusterNow, shard: number, how: Departure): string | undefined {
  const copy = now.copies?.get(shard);
  if (copy != null)
    return `The copy of shard ${shard} cannot be restored: ${copy}. Try again in a minute (task copies).`;
  if (how === "copy" && copy === undefined)
    return `Shard ${shard} has no copy: WA_DURABILITY is local, or not in effect yet (task secrets:apply).`;
  return undefined;
}

/** A volume of the shard that no relocation made: Nomad might start the shard there, with outdated state. */
export function strayVolumes(now: ClusterNow, shard: number, nodes: readonly string[]): string[] {
  return volumesOf(now, shard)
    .filter(({ nodeId }) => !nodes.includes(nodeId))
    .map(({ id, name, nodeId }) => {
      const node = now.nodes.find((one) => one.id === nodeId)?.name ?? nodeId.slice(0, 8);
      return (
        `${node} has another volume ${name}, where Nomad might start shard ${shard} with outdated state. ` +
        `Delete it first: nomad volume delete -type=host ${id}`
      );
    });
}

export type Relocations = { planned: PlannedRelocation[]; refusals: string[] };

/**
 * Chooses a node for each of these shards: the one that an interrupted run chose, else as for a new shard. Takes the
 * room that they need.
 *
 * @param candidates nodes that may get one
 */
export function planRelocations(
  now: ClusterNow,
  leaving: readonly AllocationNow[],
  candidates: readonly VolumeNode[],
  room: Room,
  { withCopies, isDrain }: Pick<DepartureOptions, "withCopies"> & { isDrain: boolean },
): Relocations {
  const planned: PlannedRelocation[] = [];
  const refusals: string[] = [];
  const placed = now.volumes.map(({ name, nodeId }) => ({ name, nodeId }));
  for (const { index, nodeId: from, status, resources } of leaving) {
    const shard = index + 1;
    const businesses = now.shards.get(shard)?.businesses ?? 0;
    const how = businesses === 0 ? "empty" : withCopies ? "copy" : "move";
    const fault = faultOfDeparture(now, shard, how);
    if (fault !== undefined) refusals.push(fault);
    if (how === "move" && status !== "running")
      refusals.push(`Shard ${shard} is ${status}: its businesses can be moved when it runs.`);
    const record = now.relocations.get(shard)?.nodes ?? [];
    const recorded = record.filter((node) => node !== from);
    const known = [...recorded, from];
    refusals.push(...strayVolumes(now, shard, known));
    const withRoom = candidates.filter(({ id }) => id !== from && room.has(id, resources));
    // The other volumes of a shard at its target are outdated.
    const continued = record.at(-1) === from ? undefined : withRoom.find(({ id }) => id === recorded.at(-1));
    const fresh = withRoom.filter(({ id }) => !volumesOf(now, shard).some(({ nodeId }) => nodeId === id));
    const name = shardVolume(index);
    const to =
      continued ?? (fresh.length === 0 ? undefined : chooseNodes([name], fresh, placed, kindOfVolume).get(name));
    if (to === undefined) {
      refusals.push(
        `No other node can take shard ${shard}: it must be ready, eligible, in the pool of the shards, able to make ` +
          `volumes, and have ${resources.memoryMb} MB and ${resources.cpuMhz} MHz free.`,
      );
      continue;
    }
    room.take(to.id, resources);
    placed.push({ name, nodeId: to.id });
    const nodes = [...known.filter((node) => node !== to.id), to.id];
    planned.push({ shard, businesses, how, from, to, nodes, isDrain });
  }
  return { planned, refusals };
}

/** Shards that take the businesses of the `leaving` ones, in order. */
function takersOf(now: ClusterNow, leaving: readonly number[]): number[] {
  return [...now.shards]
    .filter(([shard, { isReachable }]) => isReachable && !leaving.includes(shard) && !now.cordon.includes(shard))
    .map(([shard]) => shard)
    .toSorted((a, b) => a - b);
}

/** Why the businesses of the relocations that move them find no shard; undefined if there is room. */
export function faultOfMoves(
  now: ClusterNow,
  planned: readonly PlannedRelocation[],
  leaving: readonly number[],
  { maxSessions }: Pick<DepartureOptions, "maxSessions">,
): string | undefined {
  const moving = planned.filter(({ how }) => how === "move").map(({ shard }) => shard);
  if (moving.length === 0) return undefined;
  const takers = takersOf(now, leaving);
  const remedy = "Add shards on other nodes (task scale:shards), or take the shards' copies along with --with-copies";
  if (takers.length === 0)
    return `No shard of another node can take the businesses of shard ${moving.join(", ")}. ${remedy}.`;
  const needed = moving.reduce((sum, shard) => sum + now.shards.get(shard)!.paired, 0);
  const room = takers.reduce((sum, shard) => sum + Math.max(0, maxSessions - now.shards.get(shard)!.paired), 0);
  if (needed <= room) return undefined;
  return (
    `The shards of other nodes have room for ${room} of the ${needed} sessions on shard ${moving.join(", ")}, at ` +
    `${maxSessions} each. ${remedy}, or raise --max-sessions.`
  );
}

const counted = (count: number) => (count === 1 ? "1 business" : `${count} businesses`);

/** Describes relocations, one a line. */
export function describeRelocations(
  now: ClusterNow,
  planned: readonly PlannedRelocation[],
  leaving: readonly number[],
): string[] {
  const takers = takersOf(now, leaving);
  // Without takers the plan is refused.
  const moving = takers.length === 0 ? [] : planned.filter(({ how }) => how === "move");
  return [
    ...moving.map(
      ({ shard, businesses }) =>
        `move ${counted(businesses)} off shard ${shard} to shard ${takers.join(", ")}, each silent for about a second`,
    ),
    ...planned.map(({ shard, how, businesses, to }) => {
      const state = how === "copy" ? `with its ${counted(businesses)}, all silent for about 20 s` : "empty";
      return `make a volume for shard ${shard} on ${to.name} and start it there, ${state}`;
    }),
  ];
}

/** Relocations that an interrupted run has left: the shard runs at its target, and the former volumes remain. */
export function finishedRelocations(now: ClusterNow): number[] {
  return [...now.relocations]
    .filter(([shard, { nodes }]) => allocationOf(now, shard)?.nodeId === nodes.at(-1))
    .map(([shard]) => shard);
}

export const describeFinished = (shards: readonly number[]): string[] =>
  shards.map((shard) => `delete the former volume of shard ${shard}, which runs elsewhere`);
