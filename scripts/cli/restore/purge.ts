import { sleep } from "../../../lib/core/time.ts";
import { orNull } from "../../stack/nomad.ts";
import type { Nomad } from "../../stack/nomad.ts";
import { ScaleFailure } from "../scale/failure.ts";
import type { Target } from "../scale/target.ts";
import type { Node } from "./rules.ts";
import { isReached } from "./survey.ts";

type Agents = Pick<Target, "nomad" | "consul">;

type OnNode = { ID: string; DesiredStatus: string; ClientStatus: string; Job: { Type: string } };

const pollMs = 300;

/** An evaluation takes far less. */
const stopWithinMs = 20_000;

/** The node returned before its purge. */
export class NodeReturned extends ScaleFailure {
  readonly nodeId: string;

  constructor(nodeId: string, message: string) {
    super(message);
    this.nodeId = nodeId;
  }
}

/**
 * Has Nomad forget a lost node. A node that returns registers itself, and Nomad starts tasks there as on a new one.
 * @throws NodeReturned if it is ready, or if Consul reaches it and the restore is not forced.
 */
export async function purgeNode(target: Agents, node: Node, isForced: boolean): Promise<void> {
  if (!(await isKnownAndLost(target, node, isForced))) return;
  await stopSystemAllocations(target.nomad, node.id);
  // The stop takes seconds, in which the node may return.
  if (await isKnownAndLost(target, node, isForced)) await orNull(target.nomad("POST", `/v1/node/${node.id}/purge`));
}

/** False if Nomad has forgotten the node. */
async function isKnownAndLost(target: Agents, node: Node, isForced: boolean): Promise<boolean> {
  const { id, name } = node;
  if (!isForced) {
    const reached = await orNull(isReached(target, node));
    if (reached === null) return false;
    if (reached) throw new NodeReturned(id, `${name} is back: Consul reaches it. Run the command again.`);
  }
  // Last, because it decides most: the purge ends tasks of a node that is ready.
  const found = await orNull(target.nomad<{ Status: string }>("GET", `/v1/node/${id}`));
  if (found?.Status === "ready")
    throw new NodeReturned(id, `${name} is back: Nomad runs its shards there. See task status.`);
  return found !== null;
}

/**
 * A purge leaves the allocations of system jobs `unknown`. The node ends them when it is back, while Nomad counts them
 * as running and starts no others: its pooler would be missing (Nomad 1.11.3).
 */
async function stopSystemAllocations(nomad: Nomad, node: string): Promise<void> {
  const stopped = new Set<string>();
  for (const end = performance.now() + stopWithinMs; performance.now() < end; await sleep(pollMs)) {
    const all = await nomad<OnNode[]>("GET", `/v1/node/${node}/allocations`);
    const left = all.filter(isExpected);
    if (left.length === 0) return;
    for (const { ID } of left) {
      if (!stopped.has(ID)) await nomad("POST", `/v1/allocation/${ID}/stop`);
      stopped.add(ID);
    }
  }
  throw new ScaleFailure("Nomad did not stop the allocations of system jobs on the lost node. Run the command again.");
}

/** True for an allocation of a system job that Nomad expects to run on. One that has failed may be listed as wanted. */
const isExpected = ({ Job, DesiredStatus, ClientStatus }: OnNode): boolean =>
  Job.Type === "system" && DesiredStatus === "run" && ["pending", "running", "unknown"].includes(ClientStatus);
