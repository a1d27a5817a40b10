import { parseInstances } from "../../../../lib/routing/directory.ts";
import type { CopySurvey } from "../../operator/survey_copies.ts";
import type { AllocationNow } from "./cluster_now.ts";

/** Evidence that a shard has taken over at its target. */
export type TargetState = {
  shard: number;
  node: { id: string; name: string };
  allocation: Pick<AllocationNow, "nodeId" | "status"> | undefined;
  /** Consul's instances of the shards. */
  instances: unknown;
  /** The owner lock of the shard in Consul. */
  owner: { value: string; session: string | null } | null;
  /** Undefined for a shard without a copy. */
  copy: Pick<CopySurvey, "leased" | "restoring" | "fault"> | undefined;
};

/**
 * Why the shard does not run completely at its target yet; null if it does. A shard takes its owner lock and passes its
 * checks before it restores, so the copy decides. Pure.
 */
export function missingAtTarget({ shard, node, allocation, instances, owner, copy }: TargetState): string | null {
  if (allocation === undefined) return `shard ${shard} has no allocation`;
  if (allocation.nodeId !== node.id || allocation.status !== "running")
    return `shard ${shard} is ${allocation.status}, not running on ${node.name} yet`;
  const [instance, ...others] = parseInstances(instances).filter((one) => one.shard === shard);
  if (instance === undefined || others.length > 0) return `shard ${shard} does not pass its checks yet`;
  const { address, port } = JSON.parse(owner?.value || "{}") as { address?: string; port?: number };
  if (owner?.session == null || address !== instance.address || port !== instance.port)
    return `shard ${shard} does not hold its owner lock yet`;
  if (copy === undefined) return null;
  if (copy.restoring) return `shard ${shard} restores its copy`;
  if (!copy.leased) return `shard ${shard} does not hold the lease of its copy yet`;
  return copy.fault === null ? null : `the copy of shard ${shard} is incomplete: ${copy.fault}`;
}

/**
 * The epoch of an owner whose stop has to prove that its copy lacks nothing. Undefined if that is known before: an
 * exact copy has all that the shard has sent and acknowledged. Pure.
 */
export const epochToProve = (copy: Pick<CopySurvey, "epoch" | "exact"> | undefined): number | undefined =>
  copy === undefined || copy.exact ? undefined : copy.epoch;

/**
 * True if the owner of epoch `before` had written its last change when it stopped, false if not, null while that is
 * open. A clean stop marks the copy exact, and the mark stays until the next owner has restored it. Pure.
 */
export function wasStoredAtStop(
  before: number,
  copy: Pick<CopySurvey, "epoch" | "leased" | "exact" | "restoring">,
): boolean | null {
  if (copy.epoch > before) return copy.exact;
  return copy.exact && !copy.leased ? true : null;
}
