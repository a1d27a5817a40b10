import type { Resources } from "./room.ts";
import type { VolumeNode } from "../../../stack/placement.ts";

/*
 * The state that node:drain and node:join plan from. Names of statuses are Nomad's.
 */

export type NodeNow = {
  id: string;
  name: string;
  pool: string;
  status: string;
  isEligible: boolean;
  /** True while Nomad moves its allocations away. */
  isDraining: boolean;
  /** The part that no allocation has reserved. */
  free: Resources;
};

/** A group of a job that runs. */
export type GroupNow = {
  job: string;
  group: string;
  type: string;
  /** The node pool of its job. */
  pool: string;
  /** Two allocations with fixed ports cannot share a node. */
  hasFixedPorts: boolean;
  /** Dynamic host volumes that it mounts, by name, without those of the shards. */
  volumes: readonly string[];
};

/** An allocation that should run. */
export type AllocationNow = {
  id: string;
  job: string;
  group: string;
  index: number;
  nodeId: string;
  status: string;
  resources: Resources;
};

export type VolumeNow = { id: string; name: string; nodeId: string };

export type ShardNow = {
  businesses: number;
  /** Businesses with a linked phone. */
  paired: number;
  /** True if routers know an address of the shard. */
  isReachable: boolean;
};

/**
 * A shard whose volume is being replaced by one on another node; kept in Consul from before the new volume exists until
 * the others are deleted.
 */
export type Relocation = {
  /** The nodes with a volume of the shard. The last one is the target. */
  nodes: readonly string[];
  /** The node that was made ineligible, so that the shard does not start there again. */
  held?: string | undefined;
  /** True until the last change of the stopped owner is known to be in its copy: its volumes are kept. */
  inexact?: boolean | undefined;
};

/** Why the copy of a shard cannot be restored now; null if it can. */
export type CopyFault = string | null;

export type ClusterNow = {
  nodes: readonly NodeNow[];
  groups: readonly GroupNow[];
  allocations: readonly AllocationNow[];
  volumes: readonly VolumeNow[];
  /** Nodes that may get a volume of a shard. */
  volumeNodes: readonly VolumeNode[];
  /** Shards that businesses are assigned to, by number. */
  shards: ReadonlyMap<number, ShardNow>;
  cordon: readonly number[];
  /** By shard. */
  relocations: ReadonlyMap<number, Relocation>;
  /** By shard; undefined if WA_DURABILITY is local. */
  copies: ReadonlyMap<number, CopyFault> | undefined;
  /** Calls in progress in the cluster; null if the API does not answer. */
  calls: number | null;
};
