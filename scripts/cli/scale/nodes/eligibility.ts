import type { Target } from "../target.ts";
import { acrossElections } from "../../../stack/elections.ts";

/** Lets Nomad start allocations on a node, or keeps it from doing so. Ends no allocation. */
export async function setEligibility(
  { nomad }: Pick<Target, "nomad">,
  nodeId: string,
  eligible: boolean,
): Promise<void> {
  const Eligibility = eligible ? "eligible" : "ineligible";
  await acrossElections(() => nomad("POST", `/v1/node/${nodeId}/eligibility`, { Eligibility }));
}
