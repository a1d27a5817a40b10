import { sleep } from "../../../lib/core/time.ts";
import { orNull } from "../../stack/nomad.ts";
import type { Nomad } from "../../stack/nomad.ts";
import { ScaleFailure } from "../scale/failure.ts";
import type { Node } from "./rules.ts";

type OnNode = { ID: string; DesiredStatus: string; ClientStatus: string; Job: { Type: string } };

const pollMs = 300;

/** An evaluation takes far less. */
const stopWithinMs = 20_000;

/**
 * Has Nomad forget a lost node. A node that returns registers itself, and Nomad starts tasks there as on a new one.
 * @throws ScaleFailure if it is ready.
 */
export async function purgeNode(nomad: Nomad, { id, name }: Node): Promise<void> {
  const node = await orNull(nomad<{ Status: string }>("GET", `/v1/node/${id}`));
  if (node === null) return;
  if (node.Status === "ready") throw new ScaleFailure(`${name} is back: Nomad runs its shards there. See task status.`);
  await stopSystemAllocations(nomad, id);
  await orNull(nomad("POST", `/v1/node/${id}/purge`));
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
