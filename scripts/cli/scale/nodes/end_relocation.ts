import type { Volume } from "../../../stack/volumes.ts";
import { orNull } from "../../../stack/nomad.ts";
import type { Target } from "../target.ts";
import { uncordonShards } from "./cordon.ts";
import { setEligibility } from "./eligibility.ts";
import { deleteRelocation, readRelocations, writeRelocation } from "./relocation_record.ts";

/**
 * Opens a relocated shard to businesses again. While a former volume is left, its record stays and so does the hold on
 * its node, where Nomad might start the shard with outdated state.
 *
 * @param runsOn id of the node on which the shard runs
 * @param left the volumes of the shard on other nodes
 * @returns what to do about a volume that is left
 */
export async function endRelocation(
  target: Pick<Target, "nomad" | "consul">,
  shard: number,
  runsOn: string,
  left: readonly Volume[],
): Promise<string | undefined> {
  await uncordonShards(target, [shard]);
  const record = (await readRelocations(target)).get(shard);
  if (left.length === 0) {
    // Nomad may have forgotten the node.
    if (record?.held !== undefined) await orNull(setEligibility(target, record.held, true));
    await deleteRelocation(target, shard);
    return undefined;
  }
  await writeRelocation(target, shard, { ...record, nodes: [...left.map(({ NodeID }) => NodeID), runsOn] });
  return (
    `shard ${shard} takes businesses again; a former volume is left, and its node must stay ineligible. To delete it ` +
    `when the node is up: ${left.map(({ ID }) => `nomad volume delete -type=host ${ID}`).join("; ")}; ` +
    `then run task node:join NODE=${record?.held ?? left[0]!.NodeID}.`
  );
}
