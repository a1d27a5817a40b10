import { uncordonShards } from "../scale/nodes/cordon.ts";
import { setEligibility } from "../scale/nodes/eligibility.ts";
import { deleteRelocation, readRelocations } from "../scale/nodes/relocation_record.ts";
import type { Target } from "../scale/target.ts";
import { orNull } from "../../stack/nomad.ts";

/** Ends an interrupted node:drain of a shard that a restore started elsewhere: the shard takes businesses again. */
export async function endRelocation(target: Target, shard: number): Promise<void> {
  const record = (await readRelocations(target)).get(shard);
  if (record === undefined) return;
  // Nomad may have forgotten the node.
  if (record.held !== undefined) await orNull(setEligibility(target, record.held, true));
  await uncordonShards(target, [shard]);
  await deleteRelocation(target, shard);
}
