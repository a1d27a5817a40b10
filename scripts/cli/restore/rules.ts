import type { CopySurvey } from "../operator/survey_copies.ts";

/*
 * Decides what `task restore` does with a shard. Pure.
 *
 *   allocation of the shard       its node               decision
 *   ───────────────────────────   ────────────────────   ─────────────────────────────────────────────────────────
 *   runs, is the owner            ready                  keep: outdated volumes on other ready nodes are deleted
 *   started by an earlier restore ready                  follow: wait until it is the owner
 *   any other                     ready                  refuse: Nomad restarts it there
 *   unknown                       disconnected or down   restore: make a volume elsewhere, purge the node
 *   none                          any                    restore: make a volume, so that Nomad starts the allocation
 *
 * These rules start a process and decide nothing about ownership: the process restores once it has the lock in Consul
 * and the lease in Postgres (services/whatsapp/copy/claim_rules.ts).
 */

export type Node = {
  id: string;
  name: string;
  /** As Nomad's servers see it. */
  status: string;
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
  attempt: { volumeNode: string; agoMs: number } | null;
};

export type Decision =
  | { do: "keep"; outdated: ShardVolume[] }
  | { do: "follow"; node: Node }
  | {
      do: "restore";
      /** The node that Nomad has to forget, so that it starts the allocation elsewhere. */
      purge: Node | null;
      /** Volumes on ready nodes that must be gone before, because Nomad could choose them. */
      outdated: ShardVolume[];
      /** The node with the volume that an interrupted restore made. */
      madeOn: Node | null;
    }
  | { do: "refuse"; why: string };

const isReady = (node: Node | null): node is Node => node?.status === "ready";

export function decideRestore(state: ShardState): Decision {
  const { shard, count, allocation, volumes, copy, attempt } = state;
  if (shard > count) return refuse(`Shard ${shard} does not exist: the cluster has ${count}.`);
  const node = allocation?.node ?? null;
  const onReadyNodes = volumes.filter((volume) => isReady(volume.node));
  if (allocation !== null && isReady(node)) {
    if (state.isOwner && copy?.leased !== false) {
      // The copy proves that the other volumes are out of date.
      const isProven = copy !== null && copy.fault === null && !copy.restoring;
      return { do: "keep", outdated: isProven ? onReadyNodes.filter(({ nodeId }) => nodeId !== node.id) : [] };
    }
    if (attempt?.volumeNode === node.id) return { do: "follow", node };
    return refuse(
      `Allocation ${allocation.id.slice(0, 8)} of shard ${shard} is ${allocation.status} on ${node.name}, which is ` +
        "ready: Nomad restarts it there (task logs:wa-shards). Nomad misses a lost node after about 20 s; run the " +
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
  const made = attempt === null ? undefined : onReadyNodes.find(({ nodeId }) => nodeId === attempt.volumeNode);
  return {
    do: "restore",
    purge: node,
    outdated: onReadyNodes.filter((volume) => volume !== made),
    madeOn: made?.node ?? null,
  };
}

const refuse = (why: string): Decision => ({ do: "refuse", why });

/** How often restores may begin without an operator. */
export type WatchLimits = {
  /** Milliseconds without a renewal of the owner's lease. */
  afterMs: number;
  /** Restores of all shards in an hour. One shard is restored once in an hour. */
  perHour: number;
  /** The lease of a live owner, in milliseconds. */
  leaseMs: number;
};

const hourMs = 3_600_000;

/** The shards that are due for an automatic restore or for the deletion of an outdated volume, and why others wait. */
export function decideWatch(
  states: readonly ShardState[],
  { afterMs, perHour, leaseMs }: WatchLimits,
): { due: number[]; waiting: { shard: number; why: string }[] } {
  const due: number[] = [];
  const waiting: { shard: number; why: string }[] = [];
  let left = perHour - states.filter(({ attempt }) => attempt !== null && attempt.agoMs < hourMs).length;
  for (const state of states) {
    const { shard, copy, isLocked, attempt } = state;
    const decision = decideRestore(state);
    const wait = (why: string) => void waiting.push({ shard, why });
    if (decision.do === "keep") {
      if (decision.outdated.length > 0) due.push(shard);
    } else if (decision.do === "follow") due.push(shard);
    else if (decision.do === "refuse") wait(decision.why);
    // Without a copy there is nothing to restore: the rules have refused.
    else if (decision.purge?.isAlive) wait(`Consul reaches ${decision.purge.name}`);
    else if (copy!.leased) wait("its owner holds the lease in Postgres");
    else if (isLocked) wait("its owner holds the lock in Consul");
    else if (leaseMs - copy!.lease_left_ms < afterMs) wait("its owner has been lost for less than the limit");
    else if (decision.madeOn !== null) due.push(shard);
    else if (attempt !== null && attempt.agoMs < hourMs) wait("it was restored within the last hour");
    else if (left <= 0) wait(`${perHour} shards were restored within the last hour`);
    else {
      left -= 1;
      due.push(shard);
    }
  }
  return { due, waiting };
}
