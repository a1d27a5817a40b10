import type { CopySurvey } from "../operator/survey_copies.ts";

/*
 * Decides what `task restore` does with a shard. Pure.
 *
 *   allocation of the shard       its node               decision
 *   ───────────────────────────   ────────────────────   ─────────────────────────────────────────────────────────
 *   runs, is the owner            ready                  keep: outdated volumes on other ready nodes are deleted
 *   started by an earlier restore ready                  follow: wait until the owner is proven, and record it
 *   any other                     ready                  refuse: Nomad restarts it there
 *   unknown                       disconnected or down   restore: make a volume elsewhere, purge the node
 *   none, no volume               any                    restore: make a volume, so that Nomad starts the allocation
 *   none, a volume                ready                  refuse: the volume may be the only state that is up to date
 *
 * A volume is deleted only if a newer owner was seen on another node, or if a restore made it and nothing used it. A
 * volume that node:drain keeps, because the copy may lack its last changes, is never taken for out of date.
 *
 * These rules start a process and decide nothing about ownership: the process restores once it has the lock in Consul
 * and the lease in Postgres (services/whatsapp/copy/claim_rules.ts).
 */

export type Node = {
  id: string;
  name: string;
  /** As Nomad's servers see it. */
  status: string;
  /** True if Nomad may start allocations there. */
  isEligible: boolean;
  /** True if the other agents of Consul reach this node's. */
  isAlive: boolean;
};

export type ShardVolume = {
  id: string;
  /** Null if Nomad does not know the node (any more). */
  node: Node | null;
  nodeId: string;
};

export type ShardState = {
  shard: number;
  /** Shards of the cluster. */
  count: number;
  /** The allocation that should run; null if Nomad has none, because no node has a volume for it. */
  allocation: { id: string; status: string; node: Node | null } | null;
  /** True if the allocation's process holds the shard's lock in Consul. */
  isOwner: boolean;
  /** True if any process holds the lock. */
  isLocked: boolean;
  volumes: readonly ShardVolume[];
  copy: CopySurvey | null;
  /** The last restore that a command began. */
  attempt: AttemptState | null;
  /** The node to which an interrupted node:drain relocates the shard. */
  relocatesTo: string | null;
  /** Nodes whose volumes node:drain keeps, because the copy may lack their last changes. */
  keptOn: readonly string[];
};

export type AttemptState = {
  /** The node of the volume that it made. */
  volumeNode: string;
  agoMs: number;
  /** The node on which a restore last saw the owner. The restore has ended if this is the volume's node. */
  owner: string | null;
  /** True if an allocation of the shard was ever started on the volume's node. */
  wasStarted: boolean;
};

export type Decision =
  | { do: "keep"; node: Node; outdated: ShardVolume[] }
  | {
      do: "follow";
      node: Node;
      /** True if the copy proves that the owner is there: it is only recorded. */
      isProven: boolean;
    }
  | {
      do: "restore";
      /** The node that Nomad has to forget, so that it starts the allocation elsewhere. */
      purge: Node | null;
      /** Volumes that Nomad could choose and that are empty or proven to be out of date. They are deleted before. */
      spare: ShardVolume[];
      /** The node with the volume that an interrupted restore made. */
      madeOn: Node | null;
    }
  | { do: "refuse"; why: string };

const hourMs = 3_600_000;

const isReady = (node: Node | null): node is Node => node?.status === "ready";

/** True if the allocation's process owns the shard, as Consul and Postgres know it. */
const isOwned = ({ isOwner, copy }: ShardState): boolean => isOwner && copy?.leased !== false;

/**
 * True if the shard's process runs on a ready node and will take its lock within seconds: after its start, or after an
 * isolated node has returned, because that node makes Consul take healthy ones for dead for a moment. A restore that
 * began waits for the owner itself.
 */
export const isTakingLock = (state: ShardState): boolean =>
  state.allocation?.status === "running" && isReady(state.allocation.node) && !isOwned(state) && !isOpen(state.attempt);

/** @param wantedNode name of the node on which the operator wants the shard; undefined: any */
export function decideRestore(state: ShardState, wantedNode?: string): Decision {
  const { shard, count, allocation, volumes, copy, attempt, keptOn } = state;
  if (shard > count) return refuse(`Shard ${shard} does not exist: the cluster has ${count}.`);
  const node = allocation?.node ?? null;
  const onReadyNodes = volumes.filter((volume) => isReady(volume.node));
  if (allocation !== null && isReady(node)) {
    if (isOwned(state)) {
      const isRestorable = copy !== null && copy.fault === null;
      // The copy proves that the other volumes are out of date.
      const isProven = isRestorable && !copy.restoring;
      // Its run ended before it recorded the owner, which proves other volumes out of date.
      if (isRestorable && isOpen(attempt) && attempt.volumeNode === node.id) return { do: "follow", node, isProven };
      const others = onReadyNodes.filter(({ nodeId }) => nodeId !== node.id && !keptOn.includes(nodeId));
      return { do: "keep", node, outdated: isProven ? others : [] };
    }
    if (isOpen(attempt) && attempt.agoMs < hourMs && attempt.volumeNode === node.id)
      return { do: "follow", node, isProven: false };
    return refuse(
      `Allocation ${allocation.id.slice(0, 8)} of shard ${shard} is ${allocation.status} on ${node.name}, which is ` +
        "ready: Nomad restarts it there (task logs -- wa-shards). Nomad misses a lost node within 30 s; run the " +
        "command again then.",
    );
  }
  if (copy === null)
    return refuse(`Shard ${shard} has no copy: WA_DURABILITY is local. It waits for the node with its volume.`);
  if (copy.fault !== null) {
    return refuse(
      `Shard ${shard} cannot be restored: ${copy.fault}. It waits for the node with its volume; if that is lost, ` +
        `task copies -- --discard ${shard} starts it without its logins.`,
    );
  }
  const own = ownVolume(state, onReadyNodes);
  const made = own?.node?.isEligible && (wantedNode === undefined || own.node.name === wantedNode) ? own : undefined;
  const isUnused = (volume: ShardVolume) =>
    isOpen(attempt) && !attempt.wasStarted && volume.nodeId === attempt.volumeNode;
  const isOutdated = node !== null && attempt?.owner === node.id;
  const others = onReadyNodes.filter((volume) => volume !== made);
  const spare = others.filter((volume) => (isOutdated && !keptOn.includes(volume.nodeId)) || isUnused(volume));
  const kept = others.find((volume) => !spare.includes(volume));
  if (kept !== undefined && node !== null) {
    return refuse(
      `Nomad could start shard ${shard} from its volume on ${kept.node!.name}, which nothing proves to be ` +
        `out of date. If the shard has run on ${node.name} since: nomad volume delete -type=host ${kept.id}`,
    );
  }
  if (kept !== undefined && made === undefined) {
    return refuse(
      `${kept.node!.name} is ready and has the volume of shard ${shard}: make the node eligible, free memory and CPU ` +
        `there, or restart its Nomad agent. See: nomad node status ${kept.nodeId}`,
    );
  }
  return { do: "restore", purge: node, spare, madeOn: made?.node ?? null };
}

/** True for a restore whose owner was not seen yet. */
const isOpen = (attempt: AttemptState | null): attempt is AttemptState =>
  attempt !== null && attempt.owner !== attempt.volumeNode;

/** The volume that an interrupted restore or node:drain made for the shard. */
function ownVolume({ attempt, relocatesTo }: ShardState, onReadyNodes: readonly ShardVolume[]) {
  const nodeId = isOpen(attempt) ? attempt.volumeNode : relocatesTo;
  return onReadyNodes.find((volume) => volume.nodeId === nodeId);
}

const refuse = (why: string): Decision => ({ do: "refuse", why });

/** The other shards with an allocation on a node that is purged: a live owner among them proves that it is not lost. */
export const shardsSharing = (
  purged: readonly Node[],
  named: readonly number[],
  states: readonly ShardState[],
): ShardState[] =>
  states.filter(
    ({ shard, allocation }) => !named.includes(shard) && purged.some(({ id }) => id === allocation?.node?.id),
  );

/** Why a node cannot be purged yet, by the state of a shard on it. */
export function blockersOf({ shard, copy, isLocked, allocation }: ShardState, isForced: boolean): string[] {
  const node = allocation?.node;
  return [
    ...(copy?.leased ? [`the owner of shard ${shard} holds its lease in Postgres`] : []),
    ...(isLocked ? [`the owner of shard ${shard} holds its lock in Consul`] : []),
    ...(node?.isAlive && !isForced
      ? [`Consul reaches ${node.name}: restart its Nomad agent, or add --force if the node is lost`]
      : []),
  ];
}

/** How often restores may begin without an operator. */
export type WatchLimits = {
  /** Milliseconds without a renewal of the owner's lease; infinite: outdated volumes are deleted, and nothing more. */
  afterMs: number;
  /** Restores of all shards in an hour. One shard is restored once in an hour. */
  perHour: number;
  /** The lease of a live owner, in milliseconds. */
  leaseMs: number;
};

/**
 * The shards that are due for an automatic restore, those with volumes to delete, and why others wait.
 *
 * Deletions are separate, so that a failed one delays no restore.
 */
export function decideWatch(
  states: readonly ShardState[],
  { afterMs, perHour, leaseMs }: WatchLimits,
): { due: number[]; outdated: number[]; waiting: { shard: number; why: string }[] } {
  const due: number[] = [];
  const outdated: number[] = [];
  const waiting: { shard: number; why: string }[] = [];
  let left = perHour - states.filter(({ attempt }) => attempt !== null && attempt.agoMs < hourMs).length;
  for (const state of states) {
    const { shard, copy, isLocked, attempt } = state;
    const decision = decideRestore(state);
    const wait = (why: string) => void waiting.push({ shard, why });
    if (decision.do === "keep") {
      if (decision.outdated.length > 0) outdated.push(shard);
    } else if (decision.do === "refuse") wait(decision.why);
    else if (!Number.isFinite(afterMs)) wait("automatic restores are off");
    else if (decision.do === "follow") due.push(shard);
    // Without a copy there is nothing to restore: the rules have refused.
    else if (decision.purge?.isAlive) wait(`Consul reaches ${decision.purge.name}`);
    else if (copy!.leased) wait("its owner holds the lease in Postgres");
    else if (isLocked) wait("its owner holds the lock in Consul");
    else if (leaseMs - copy!.lease_left_ms < afterMs) wait("its owner has been lost for less than the limit");
    else if (isOpen(attempt) && decision.madeOn !== null && attempt.agoMs < hourMs) due.push(shard);
    else if (attempt !== null && attempt.agoMs < hourMs) wait("a restore of it began within the last hour");
    else if (left <= 0) wait(`${perHour} shards were restored within the last hour`);
    else {
      left -= 1;
      due.push(shard);
    }
  }
  return { due, outdated, waiting };
}
